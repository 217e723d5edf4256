// Centrifugo's work by the library that it is made of: clients publish to channels, and each has one of its own.
//
// A client connects as ?id=1; the server subscribes it to channel "1", and all but 0 to channel "*". It prints its port.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/centrifugal/centrifuge"
)

type idKey struct{}

func subscriptions(id string) map[string]centrifuge.SubscribeOptions {
	own := map[string]centrifuge.SubscribeOptions{id: {}}
	if id != "0" { // it publishes to all
		own["*"] = centrifuge.SubscribeOptions{}
	}
	return own
}

func main() {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		panic(err)
	}
	node.OnConnecting(func(ctx context.Context, _ centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		id := ctx.Value(idKey{}).(string)
		return centrifuge.ConnectReply{
			Credentials:   &centrifuge.Credentials{UserID: id},
			Subscriptions: subscriptions(id),
			// The load counts frames. With one message under way there is never a second one to put into them.
			MaxMessagesInFrame: 1,
		}, nil
	})
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnPublish(func(_ centrifuge.PublishEvent, done centrifuge.PublishCallback) {
			done(centrifuge.PublishReply{}, nil)
		})
	})
	if err := node.Run(); err != nil {
		panic(err)
	}
	sockets := centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		CheckOrigin: func(*http.Request) bool { return true },
	})
	http.HandleFunc("/", func(answer http.ResponseWriter, request *http.Request) {
		ctx := context.WithValue(request.Context(), idKey{}, request.URL.Query().Get("id"))
		sockets.ServeHTTP(answer, request.WithContext(ctx))
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	panic(http.Serve(listener, nil))
}
