import {describe, expect, it} from 'vitest';

import {readText} from './upload';

async function gzip(text: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer());
}

const file = (content: BlobPart, name = 'jobs.csv') => new File([content], name);

describe('a file of a person', () => {
  it('is read as text, unpacked where it is gzipped, whatever it is called', async () => {
    expect(await readText(file('id,ü\n'), 100)).toEqual({name: 'jobs.csv', text: 'id,ü\n'});
    expect((await readText(file(await gzip('id,ü\n')), 100)).text).toBe('id,ü\n');
  });
  it('has a size, also once it is unpacked', async () => {
    await expect(readText(file('x'.repeat(101)), 100)).rejects.toThrow('jobs.csv has more than 100 B');
    await expect(readText(file(await gzip('x'.repeat(100_000))), 1000)).rejects.toThrow('unpacked');
  });
  it('is no binary and no half', async () => {
    await expect(readText(file(new Uint8Array([0x69, 0xff, 0xfe])), 100)).rejects.toThrow('no text in UTF-8');
    await expect(readText(file((await gzip('x'.repeat(999))).slice(0, 12)), 10_000)).rejects.toThrow('damaged');
  });
});
