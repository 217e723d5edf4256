// protoo-server as mediasoup's demo uses it: a notification or an accepted request goes on as a notification.
const http = require('http');
const protoo = require('protoo-server');

const web = http.createServer();
const server = new protoo.WebSocketServer(web, { maxReceivedFrameSize: 960000, maxReceivedMessageSize: 960000 });
const rooms = new Map();

function pass(room, peer, { to, ...rest }) {
  const data = { from: peer.id, ...rest };
  if (to === '*') {
    for (const each of room.peers) if (each !== peer) each.notify('relay', data).catch(() => {});
  } else if (room.hasPeer(to)) {
    room.getPeer(to).notify('relay', data).catch(() => {});
  }
}

server.on('connectionrequest', (info, accept) => {
  const query = new URL(info.request.url, 'http://localhost').searchParams;
  const name = query.get('room');
  if (!rooms.has(name)) rooms.set(name, new protoo.Room());
  const room = rooms.get(name);
  const id = query.get('id');
  const transport = accept();
  const peer = room.createPeer(id, transport);
  peer.on('notification', (notification) => pass(room, peer, notification.data));
  peer.on('request', (request, done) => {
    pass(room, peer, request.data);
    done({});
  });
});
web.listen(0, '127.0.0.1', () => console.log(web.address().port));
