// A relay on gorilla/websocket, as Go servers are usually written: a goroutine reads, a goroutine writes, JSON is typed.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
)

type sent struct {
	To         string `json:"to"`
	Type       string `json:"type"`
	Sdp        string `json:"sdp"`
	Generation int    `json:"generation"`
}

type delivered struct {
	From       string `json:"from"`
	Type       string `json:"type"`
	Sdp        string `json:"sdp"`
	Generation int    `json:"generation"`
}

var (
	upgrader = websocket.Upgrader{ReadBufferSize: 4096, WriteBufferSize: 4096}
	clients  sync.Map
)

func serve(w http.ResponseWriter, r *http.Request) {
	socket, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	id := r.URL.Query().Get("id")
	outbox := make(chan []byte, 256)
	clients.Store(id, outbox)
	defer socket.Close()
	defer clients.Delete(id)
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case message := <-outbox:
				if socket.WriteMessage(websocket.TextMessage, message) != nil {
					return
				}
			case <-done:
				return
			}
		}
	}()
	for {
		_, data, err := socket.ReadMessage()
		if err != nil {
			return
		}
		var message sent
		if json.Unmarshal(data, &message) != nil {
			return
		}
		if other, found := clients.Load(message.To); found {
			text, _ := json.Marshal(delivered{id, message.Type, message.Sdp, message.Generation})
			select {
			case other.(chan []byte) <- text:
			default: // a reader that is too slow
			}
		}
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	panic(http.Serve(listener, http.HandlerFunc(serve)))
}
