// The PeerJS server as it comes.
const { PeerServer } = require('peer');

PeerServer({ host: '127.0.0.1', port: 0, path: '/', concurrent_limit: 100000 }, (server) =>
  console.log(server.address().port),
);
