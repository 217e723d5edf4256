// hashicorp/memberlist through its public API: packets into a transport of our own, and its broadcast queue.
//
// Prints one JSON line for each figure: nanoseconds for one operation, the median of the rounds.
package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/memberlist"
)

const (
	members   = 10_000
	rounds    = 9
	perPacket = 8
	// The depth of memberlist's queue is 1,024: what comes on top of it is dropped.
	batch = 1_000
)

// alive has the fields of memberlist's message of that name, which is not exported.
type alive struct {
	Incarnation uint32
	Node        string
	Addr        []byte
	Port        uint16
	Meta        []byte
	Vsn         []uint8
}

const (
	aliveMessage    = 4
	compoundMessage = 7
	userMessage     = 8
)

func packetOf(first int, incarnation uint32) []byte {
	var bodies [perPacket][]byte
	for i := range bodies {
		n := first + i
		var body bytes.Buffer
		body.WriteByte(aliveMessage)
		handle := codec.MsgpackHandle{}
		message := alive{
			Incarnation: incarnation,
			Node:        fmt.Sprintf("node-%d", n),
			Addr:        []byte{10, 0, byte(n >> 8), byte(n)},
			Port:        7946,
			Vsn:         []uint8{1, 5, 2, 2, 5, 4},
		}
		if err := codec.NewEncoder(&body, &handle).Encode(&message); err != nil {
			log.Fatal(err)
		}
		bodies[i] = body.Bytes()
	}
	packet := []byte{compoundMessage, perPacket}
	for _, body := range bodies {
		packet = binary.BigEndian.AppendUint16(packet, uint16(len(body)))
	}
	return append(packet, bytes.Join(bodies[:], nil)...)
}

// wire is a transport that only brings in what we put into its channel.
type wire struct{ packets chan *memberlist.Packet }

func (w wire) FinalAdvertiseAddr(string, int) (net.IP, int, error) { return net.IP{10, 1, 0, 0}, 7946, nil }
func (w wire) WriteTo([]byte, string) (time.Time, error)           { return time.Now(), nil }
func (w wire) PacketCh() <-chan *memberlist.Packet                 { return w.packets }
func (w wire) StreamCh() <-chan net.Conn                           { return nil }
func (w wire) Shutdown() error                                     { return nil }
func (w wire) DialTimeout(string, time.Duration) (net.Conn, error) { return nil, errors.New("no streams") }

// marker tells when a user message has been handled: all alive messages before it have been, they go first.
type marker struct{ seen chan struct{} }

func (m marker) NodeMeta(int) []byte             { return nil }
func (m marker) NotifyMsg([]byte)                { m.seen <- struct{}{} }
func (m marker) GetBroadcasts(int, int) [][]byte { return nil }
func (m marker) LocalState(bool) []byte          { return nil }
func (m marker) MergeRemoteState([]byte, bool)   {}

type side struct {
	wire   wire
	marker marker
}

func (s side) ingest(packets [][]byte) {
	from := &net.UDPAddr{IP: net.IP{10, 1, 0, 1}, Port: 7946}
	for _, packet := range append(packets, []byte{userMessage, 0}) {
		s.wire.packets <- &memberlist.Packet{Buf: packet, From: from, Timestamp: time.Now()}
	}
	<-s.marker.seen
}

func packets(incarnation uint32) (all [][]byte) {
	for first := 0; first < members; first += perPacket {
		all = append(all, packetOf(first, incarnation))
	}
	return all
}

// pass times one pass over all members, in batches that fit into the queue; nanoseconds for one record.
func (s side) pass(all [][]byte) float64 {
	start := time.Now()
	for part := range slices.Chunk(all, batch/perPacket) {
		s.ingest(slices.Clip(part))
	}
	return float64(time.Since(start).Nanoseconds()) / float64(len(all)*perPacket)
}

func report(row string, spent []float64) {
	slices.Sort(spent)
	fmt.Printf("{\"row\":%q,\"who\":\"memberlist\",\"ns\":%.2f}\n", row, spent[len(spent)/2])
}

type change struct{ name string }

func (c change) Invalidates(memberlist.Broadcast) bool { return false }
func (c change) Message() []byte                       { return make([]byte, 27) }
func (c change) Finished()                             {}
func (c change) Name() string                          { return c.name }

// fill times the filling of packets from a queue of 10,000 changes of 27 bytes.
func fill() float64 {
	queue := memberlist.TransmitLimitedQueue{NumNodes: func() int { return members }, RetransmitMult: 4}
	for n := range members {
		queue.QueueBroadcast(change{fmt.Sprintf("node-%d", n)})
	}
	const filled = 500
	start := time.Now()
	for range filled {
		if len(queue.GetBroadcasts(0, 1_050)) != 1_050/27 {
			log.Fatal("a packet was not filled")
		}
	}
	return float64(time.Since(start).Nanoseconds()) / filled
}

func main() {
	s := side{wire{make(chan *memberlist.Packet)}, marker{make(chan struct{})}}
	config := memberlist.DefaultLANConfig()
	config.Name, config.Transport, config.Delegate = "self", s.wire, s.marker
	config.LogOutput = io.Discard
	config.ProbeInterval, config.GossipInterval, config.PushPullInterval = 0, 0, 0 // only what we measure
	list, err := memberlist.Create(config)
	if err != nil {
		log.Fatal(err)
	}
	s.pass(packets(1))
	if got := list.NumMembers(); got != members+1 {
		log.Fatalf("%d members were taken", got)
	}
	var unchanged, newer, filled []float64
	for round := range rounds {
		unchanged = append(unchanged, s.pass(packets(uint32(1+round))))
		newer = append(newer, s.pass(packets(uint32(2+round))))
		filled = append(filled, fill())
	}
	report("ingest unchanged", unchanged)
	report("ingest newer and queue", newer)
	report("fill a packet", filled)
}
