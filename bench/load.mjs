// Load generator: raw HTTP/1.1 on plain sockets, so that its own cost stays small. One JSON argument in, one JSON line out.
//   { port, path, body, connections, requests }, then bytes of padding to put in place of @PAD@ in the body
import net from 'node:net';

const { port, path, body, connections, requests } = JSON.parse(process.argv[2]);
const words = 'lorem ipsum, \\"dolor\\" sit\\n';
const padding = words.repeat(Math.ceil(Number(process.argv[3] ?? 0) / words.length));
const payload = Buffer.from(body.replace('@PAD@', () => padding));
const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer bench-key\r\nanthropic-version: 2023-06-01\r\ncontent-type: application/json\r\ncontent-length: ${payload.length}\r\n\r\n`;
const message = Buffer.concat([Buffer.from(head), payload]);
const chunkEnd = Buffer.from('0\r\n\r\n');
const took = [];
const firstContent = [];
let errors = 0;
let sample;
let left = requests;

function connect() {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    let received = Buffer.alloc(0);
    let expected = -1;
    let chunked = false;
    let began = 0;
    let sawContent = false;
    const next = () => {
      if (left-- <= 0) {
        socket.destroy();
        return;
      }
      received = Buffer.alloc(0);
      expected = -1;
      chunked = false;
      sawContent = false;
      began = performance.now();
      socket.write(message);
    };
    const failed = (why) => {
      errors++;
      sample ??= why;
      socket.destroy();
    };
    socket.on('connect', next);
    socket.on('close', resolve);
    socket.on('error', (error) => failed(error.message));
    socket.on('data', (piece) => {
      if (!sawContent && piece.includes('quick')) {
        sawContent = true;
        firstContent.push(performance.now() - began);
      }
      if (expected < 0) {
        received = received.length === 0 ? piece : Buffer.concat([received, piece]);
        const end = received.indexOf('\r\n\r\n');
        if (end < 0) return;
        const text = received.toString('latin1', 0, end).toLowerCase();
        chunked = text.includes('transfer-encoding: chunked');
        expected = chunked ? 0 : end + 4 + Number(/content-length: (\d+)/.exec(text)?.[1] ?? 0);
        if (!text.startsWith('http/1.1 200')) {
          failed(received.toString('utf8').slice(0, 300));
          return;
        }
      } else if (chunked) received = Buffer.concat([received.subarray(-8), piece]);
      else received = Buffer.concat([received, piece]);
      const over = chunked ? received.subarray(-5).equals(chunkEnd) : received.length >= expected;
      if (!over) return;
      took.push(performance.now() - began);
      next();
    });
  });
}

const began = performance.now();
await Promise.all(Array.from({ length: connections }, connect));
const seconds = (performance.now() - began) / 1000;
const at = (values, share) => values.sort((a, b) => a - b)[Math.floor((values.length - 1) * share)];
console.log(
  JSON.stringify({
    done: took.length,
    errors,
    sample,
    rps: took.length / seconds,
    p50: at(took, 0.5),
    p99: at(took, 0.99),
    first: at(firstContent, 0.5),
  }),
);
