// The bare pipe that we are measured against: checks a key, parses and writes the body anew, hands the answer on.
import http from 'node:http';
import { Agent, request as ask, setGlobalDispatcher } from 'undici';

const upstream = process.argv[2];
setGlobalDispatcher(new Agent({ headersTimeout: 0, bodyTimeout: 0 }));
const headers = { 'content-type': 'application/json', authorization: 'Bearer upstream' };

async function pipe(request, reply, pieces) {
  const body = JSON.parse(Buffer.concat(pieces).toString());
  body.model = 'bench';
  const answer = await ask(upstream + request.url, { method: 'POST', headers, body: JSON.stringify(body) });
  const length = answer.headers['content-length'];
  reply.writeHead(answer.statusCode, {
    'content-type': answer.headers['content-type'],
    ...(length === undefined ? {} : { 'content-length': length }),
  });
  reply.on('close', () => answer.body.destroy());
  answer.body.on('data', (piece) => {
    if (reply.write(piece)) return;
    answer.body.pause();
    reply.once('drain', () => answer.body.resume());
  });
  answer.body.on('end', () => reply.end()).on('error', () => reply.destroy());
}

const server = http.createServer({ requestTimeout: 0 }, (request, reply) => {
  if (request.headers.authorization !== 'Bearer bench-key') {
    reply.writeHead(401).end();
    return;
  }
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => pipe(request, reply, pieces).catch(() => reply.writeHead(502).end()));
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => console.log(server.address().port));
