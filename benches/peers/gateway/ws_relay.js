// node `ws` with JSON: relays {"to": id, …} to that id as {"from": id, …}; to "*" to everybody else of the room.
const { WebSocketServer } = require('ws');

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
const clients = new Map();
const rooms = new Map();

server.on('connection', (socket, request) => {
  const query = new URL(request.url, 'http://localhost').searchParams;
  const id = query.get('id');
  const name = query.get('room');
  if (!rooms.has(name)) rooms.set(name, new Map());
  const room = rooms.get(name);
  clients.set(id, socket);
  room.set(id, socket);
  socket.on('message', (data) => {
    const { to, ...rest } = JSON.parse(data);
    const text = JSON.stringify({ from: id, ...rest });
    if (to !== '*') return clients.get(to)?.send(text);
    const bytes = Buffer.from(text); // encoded once for all
    for (const [other, each] of room) if (other !== id) each.send(bytes, { binary: false });
  });
  socket.on('close', () => {
    clients.delete(id);
    room.delete(id);
    if (room.size === 0) rooms.delete(name);
  });
});
server.on('listening', () => console.log(server.address().port));
