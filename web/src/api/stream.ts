/** Server-sent events by fetch: a browser's EventSource hands out all that has come in one go, this in pieces. */
import {Slice} from '../lib/slices';

export interface StreamEvent {
  id: string;
  type: string; // "message" where the server names none
  data: string;
}

/** Events out of text as it comes. Follows the HTML standard's event stream format, with line ends of "\n". */
export class EventParser {
  private text = '';
  private from = 0;

  add(text: string): void {
    this.text = this.text.slice(this.from) + text;
    this.from = 0;
  }

  /** The next event that is there whole. */
  next(): StreamEvent | null {
    for (;;) {
      const end = this.text.indexOf('\n\n', this.from);
      if (end < 0) return null;
      const event = parseBlock(this.text.slice(this.from, end));
      this.from = end + 2;
      if (event) return event;
    }
  }
}

function parseBlock(block: string): StreamEvent | null {
  let id = '';
  let type = 'message';
  let data: string | null = null;
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (name === 'id') id = value;
    else if (name === 'event') type = value;
    else if (name === 'data') data = data === null ? value : `${data}\n${value}`;
  }
  return data === null ? null : {id, type, data};
}

const CHECK_EVERY = 32; // events between two looks at the clock

/** Follows a stream until it is over, which is an error too, or `signal` ends it. */
export async function follow(url: string, signal: AbortSignal, opened: () => void, take: (event: StreamEvent) => void): Promise<void> {
  const answer = await fetch(url, {headers: {Accept: 'text/event-stream'}, cache: 'no-store', signal});
  if (!answer.ok || !answer.body) throw new Error(`the server answers ${answer.status}`);
  opened();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new EventParser();
  const slice = new Slice();
  for (;;) {
    const {done, value} = await reader.read();
    if (done) throw new Error('the stream is over');
    parser.add(value);
    let taken = 0;
    for (let event = parser.next(); event; event = parser.next()) {
      take(event);
      if (++taken % CHECK_EVERY === 0) await slice.rest();
    }
    await slice.rest();
  }
}
