import {describe, expect, test} from 'vitest';

import {execAddress, inputFrames, readFrame, sizeFrame, wordsOf} from './exec';

const message = (channel: number, text: string) => {
  const bytes = new TextEncoder().encode(text);
  const all = new Uint8Array(bytes.length + 1);
  all[0] = channel;
  all.set(bytes, 1);
  return all.buffer;
};

describe('a command in a task', () => {
  test('has an address with its words', () => {
    const url = new URL(execAddress('http://127.0.0.1:8642', 7, 1, ['sh', '-c', 'a & b'], {columns: 80, rows: 24}));
    expect(url.protocol).toBe('ws:');
    expect(url.pathname).toBe('/v1/jobs/7/exec');
    expect(url.searchParams.getAll('command')).toEqual(['sh', '-c', 'a & b']);
    expect(url.searchParams.get('columns')).toBe('80');
    expect(execAddress('https://gyre.example', 7, 0, ['sh'], {columns: 1, rows: 1})).toMatch(/^wss:/);
  });

  test('takes what is pasted in pieces, each byte once and in order', () => {
    const bytes = Uint8Array.from({length: 150_001}, (_, n) => n % 251);
    const frames = inputFrames(bytes);
    expect(frames.every((frame) => frame[0] === 0 && frame.length <= 65_536)).toBe(true);
    const joined = frames.flatMap((frame) => [...frame.subarray(1)]);
    expect(joined.length).toBe(bytes.length);
    expect(joined.findIndex((byte, at) => byte !== bytes[at])).toBe(-1);
    expect(inputFrames(new Uint8Array())).toEqual([]);
    expect(new TextDecoder().decode(sizeFrame({columns: 80, rows: 24}).subarray(1))).toBe('{"Width":80,"Height":24}');
  });

  test('says how it ended', () => {
    expect(readFrame(message(1, 'hi'))).toMatchObject({kind: 'output'});
    expect(readFrame(message(3, '{"status":"Success"}'))).toEqual({kind: 'over', why: 'The command has ended.'});
    expect(readFrame(message(3, '{"status":"Failure","details":{"causes":[{"reason":"ExitCode","message":"3"}]}}')))
      .toEqual({kind: 'over', why: 'The command has ended with exit code 3.'});
    expect(readFrame(message(3, '{"status":"Failure","message":"the node is away"}')))
      .toEqual({kind: 'over', why: 'The command has ended: the node is away.'});
    expect(readFrame(message(3, '{'))).toMatchObject({kind: 'over'});
    expect(readFrame(message(9, ''))).toEqual({kind: 'unknown'});
    expect(readFrame(new ArrayBuffer(0))).toEqual({kind: 'unknown'});
  });

  test('is split into words', () => {
    expect(wordsOf(' python3  -c "print( 1 )" \'a b\' ')).toEqual(['python3', '-c', 'print( 1 )', 'a b']);
    expect(wordsOf('')).toEqual([]);
  });
});
