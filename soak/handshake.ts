import { connect } from 'node:net';

const attemptMs = 1_000;
const pauseMs = 20;

/** Waits until the server of a URL answers as its protocol begins; false when it has not by the deadline. */
export async function firstHandshake(url: string, port: number, deadlineMs: number): Promise<boolean> {
  const { protocol, hostname } = new URL(url);
  const deadlineAt = performance.now() + deadlineMs;
  while (performance.now() < deadlineAt) {
    if (await answers(protocol, hostname.replace(/^\[|\]$/g, ''), port)) return true;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return false;
}

/** One connection, closed again. */
function answers(protocol: string, host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(attemptMs, () => end(false));
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
    socket.on('connect', () => {
      if (protocol === 'amqp:') socket.write('AMQP\0\0\x09\x01');
      // Behind TLS nothing is said in clear: that it listens is all that can be seen.
      else if (protocol === 'amqps:') end(true);
    });
    socket.on('data', (bytes) => end(isGreeting(protocol, bytes)));
  });
}

function isGreeting(protocol: string, bytes: Buffer): boolean {
  // AMQP 0-9-1: a method frame (connection.start). MySQL: version 10 of the handshake; 0xff would be an error.
  return protocol === 'amqp:' ? bytes[0] === 1 : bytes[4] === 10;
}
