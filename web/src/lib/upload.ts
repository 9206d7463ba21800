/** Text files of a person, plain or gzipped, with a bound on what they become. */
import {bytes} from './format';

export interface TextFile {
  name: string;
  text: string;
}

async function isGzip(file: Blob): Promise<boolean> {
  const [first, second] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  return first === 0x1f && second === 0x8b;
}

/** Throws, for a person, what is wrong with it. */
export async function readText(file: Blob & {name: string}, bytesMax: number): Promise<TextFile> {
  const packed = await isGzip(file);
  const stream = packed ? file.stream().pipeThrough(new DecompressionStream('gzip')) : file.stream();
  const reader = stream.getReader();
  const decoder = new TextDecoder('utf-8', {fatal: true});
  let text = '';
  let size = 0;
  for (;;) {
    const {done, value} = await reader.read().catch(() => {
      throw new Error(packed ? `${file.name}: the gzip data is damaged or cut off` : `${file.name} cannot be read`);
    });
    size += value?.length ?? 0;
    if (size > bytesMax) {
      await reader.cancel();
      throw new Error(`${file.name} has more than ${bytes(bytesMax)}${packed ? ' unpacked' : ''}`);
    }
    try {
      text += decoder.decode(value, {stream: !done});
    } catch {
      throw new Error(`${file.name} is no text in UTF-8`);
    }
    if (done) return {name: file.name, text};
  }
}
