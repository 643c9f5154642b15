// WebSocket frames over a socket that was already upgraded (RFC 6455): text messages, both roles, no extensions.
import { createHash, randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';

const text = 0x1;
const binary = 0x2;
const closing = 0x8;
const pinging = 0x9;
const ponging = 0xa;

/** Close codes (RFC 6455 §7.4.1). */
export const closeCode = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  unsupported: 1003,
  noStatus: 1005,
  abnormal: 1006,
  badText: 1007,
  policy: 1008,
  tooBig: 1009,
  internal: 1011,
} as const;

export interface PeerOptions {
  /** A client masks what it sends and takes no masked frames; a server the other way round (§5.1). */
  role: 'client' | 'server';
  /** Bytes of the longest message taken. */
  maxMessageBytes: number;
  onText(message: string): void;
  /** Once, however the connection ended. 1006: without a close frame. */
  onClose(code: number, reason: string): void;
}

/** `Sec-WebSocket-Accept` for a key (§4.2.2). */
export function acceptKey(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

/** A nonce for `Sec-WebSocket-Key` (§4.1). */
export function newKey(): string {
  return randomBytes(16).toString('base64');
}

/** One end of a connection. Takes the socket over; `head` is what was read behind the handshake. */
export class WebSocketPeer {
  readonly #socket: Duplex;
  readonly #options: PeerOptions;
  #buffer: Buffer = Buffer.alloc(0);
  /** Pieces of a fragmented message. */
  #pieces: Buffer[] = [];
  #piecesLength = 0;
  #fragmented = false;
  #closeSent = false;
  #closed = false;

  constructor(socket: Duplex, head: Buffer, options: PeerOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('end', () => this.#ended(closeCode.abnormal, ''));
    socket.on('close', () => this.#ended(closeCode.abnormal, ''));
    socket.on('error', () => this.#ended(closeCode.abnormal, ''));
    if (head.length > 0) this.#read(head);
  }

  get open(): boolean {
    return !this.#closed && !this.#closeSent;
  }

  /** False when the other side reads too slowly; `onDrain` tells when it has caught up. */
  send(message: string): boolean {
    return this.open ? this.#socket.write(this.#frame(text, Buffer.from(message))) : true;
  }

  onDrain(listener: () => void): void {
    this.#socket.once('drain', listener);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  ping(): void {
    if (this.open) this.#socket.write(this.#frame(pinging, Buffer.alloc(0)));
  }

  /** Says goodbye; the socket ends when the other side has answered, or after a second. */
  close(code: number = closeCode.normal, reason = ''): void {
    if (this.#closed || this.#closeSent) return;
    this.#closeSent = true;
    const body = Buffer.from(`\0\0${reason.slice(0, 60)}`);
    body.writeUInt16BE(code);
    this.#socket.write(this.#frame(closing, body));
    const timer = setTimeout(() => this.#ended(code, reason), 1000);
    timer.unref();
  }

  destroy(): void {
    this.#ended(closeCode.abnormal, '');
  }

  #ended(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroy();
    this.#options.onClose(code, reason);
  }

  #violated(code: number, reason: string): void {
    this.close(code, reason);
    this.#ended(code, reason);
  }

  #read(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    while (!this.#closed && this.#takeFrame());
  }

  /** One frame off the buffer; false when it is not there yet. §5.2 */
  #takeFrame(): boolean {
    const buffer = this.#buffer;
    if (buffer.length < 2) return false;
    const first = buffer[0] as number;
    const second = buffer[1] as number;
    const masked = (second & 0x80) !== 0;
    const opcode = first & 0x0f;
    const control = opcode >= closing;
    if ((first & 0x70) !== 0) return this.#refuse('reserved bits are set');
    if (masked !== (this.#options.role === 'server')) return this.#refuse('frame is masked wrongly');
    let length = second & 0x7f;
    if (control && (length > 125 || (first & 0x80) === 0)) return this.#refuse('control frame too long or fragmented');
    let at = 2;
    if (length === 126) {
      if (buffer.length < 4) return false;
      length = buffer.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (buffer.length < 10) return false;
      length = Number(buffer.readBigUInt64BE(2));
      at = 10;
    }
    if (this.#piecesLength + length > this.#options.maxMessageBytes) {
      this.#violated(closeCode.tooBig, 'message too big');
      return false;
    }
    const end = at + (masked ? 4 : 0) + length;
    if (buffer.length < end) return false;
    const payload = masked
      ? unmasked(buffer.subarray(at + 4, end), buffer.subarray(at, at + 4))
      : buffer.subarray(at, end);
    this.#buffer = buffer.subarray(end);
    this.#frameCame(opcode, (first & 0x80) !== 0, payload);
    return !this.#closed;
  }

  #refuse(reason: string): false {
    this.#violated(closeCode.protocolError, reason);
    return false;
  }

  #frameCame(opcode: number, final: boolean, payload: Buffer): void {
    switch (opcode) {
      case pinging:
        if (this.open) this.#socket.write(this.#frame(ponging, payload));
        return;
      case ponging:
        return;
      case closing:
        this.#closeCame(payload);
        return;
      case binary:
        this.#violated(closeCode.unsupported, 'text messages only');
        return;
      case text:
      case 0:
        this.#dataCame(opcode, final, payload);
        return;
      default:
        this.#refuse('unknown opcode');
    }
  }

  #dataCame(opcode: number, final: boolean, payload: Buffer): void {
    if ((opcode === text) === this.#fragmented) {
      this.#refuse('fragments out of order');
      return;
    }
    this.#pieces.push(payload);
    this.#piecesLength += payload.length;
    this.#fragmented = !final;
    if (!final) return;
    const whole = this.#pieces.length === 1 ? payload : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#piecesLength = 0;
    let message: string;
    try {
      message = new TextDecoder('utf-8', { fatal: true }).decode(whole);
    } catch {
      this.#violated(closeCode.badText, 'not UTF-8');
      return;
    }
    this.#options.onText(message);
  }

  #closeCame(payload: Buffer): void {
    const code = payload.length >= 2 ? payload.readUInt16BE(0) : closeCode.noStatus;
    const reason = payload.subarray(2).toString('utf8');
    if (!this.#closeSent) {
      this.#closeSent = true;
      this.#socket.write(this.#frame(closing, payload.subarray(0, 2)));
    }
    this.#socket.end();
    this.#ended(code, reason);
  }

  #frame(opcode: number, payload: Buffer): Buffer {
    const { length } = payload;
    const size = length < 126 ? 0 : length < 65_536 ? 2 : 8;
    const mask = this.#options.role === 'client' ? randomBytes(4) : undefined;
    const head = Buffer.alloc(2 + size + (mask ? 4 : 0));
    head[0] = 0x80 | opcode;
    head[1] = (mask ? 0x80 : 0) | (size === 0 ? length : size === 2 ? 126 : 127);
    if (size === 2) head.writeUInt16BE(length, 2);
    if (size === 8) head.writeBigUInt64BE(BigInt(length), 2);
    if (mask) mask.copy(head, 2 + size);
    return Buffer.concat([head, mask ? unmasked(payload, mask) : payload]);
  }
}

/** Masking is its own inverse (§5.3). A copy. */
function unmasked(payload: Buffer, mask: Buffer): Buffer {
  const result = Buffer.allocUnsafe(payload.length);
  for (let i = 0; i < payload.length; i++) result[i] = (payload[i] as number) ^ (mask[i & 3] as number);
  return result;
}
