// socket.io: the event `relay` goes to the client that it names, or to the others of the room.
const { Server } = require('socket.io');
const http = require('http');

const web = http.createServer();
const io = new Server(web, { serveClient: false, transports: ['websocket'] });
const clients = new Map();

io.on('connection', (socket) => {
  const { id, room } = socket.handshake.query;
  clients.set(id, socket);
  socket.join(room);
  socket.on('relay', ({ to, ...rest }) => {
    const message = { from: id, ...rest };
    if (to === '*') socket.to(room).emit('relay', message);
    else clients.get(to)?.emit('relay', message);
  });
  socket.on('disconnect', () => clients.delete(id));
});
web.listen(0, '127.0.0.1', () => console.log(web.address().port));
