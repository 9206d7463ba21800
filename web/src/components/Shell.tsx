/** A command in a running task, with a terminal. Loaded when it is wanted: it weighs more than the page around it. */
import '@xterm/xterm/css/xterm.css';

import {FitAddon} from '@xterm/addon-fit';
import {Terminal} from '@xterm/xterm';
import {useEffect, useRef, useState} from 'react';

import {errorText} from '../api/api';
import {execAddress, inputFrames, readFrame, sizeFrame, SUBPROTOCOL} from '../lib/exec';
import {makeSheetsOfStyles} from '../lib/sheets';

const LINES_KEPT = 5_000;
const LEAVE_KEY = 'F6';
const REFUSED = 'No connection: the task may have ended just now, the command may be missing in it, or something between here and ' +
  'the server lets no WebSocket pass.';

function colours(): {background: string; foreground: string; cursor: string} {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(name).trim();
  return {background: of('--ground'), foreground: of('--text'), cursor: of('--blue')};
}

export default function Shell({job, rank, command, leave}: {
  job: number;
  rank: number;
  command: readonly string[];
  leave: () => void; // where the keyboard goes on
}) {
  const box = useRef<HTMLDivElement>(null);
  const [state, setState] = useState('connecting…');
  useEffect(() => {
    const endOfSheets = makeSheetsOfStyles(document);
    const terminal = new Terminal({
      scrollback: LINES_KEPT, screenReaderMode: true, theme: colours(), fontSize: 13,
      fontFamily: 'ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono", monospace', minimumContrastRatio: 4.5,
    });
    const fit = new FitAddon();
    terminal.loadAddon(fit);
    terminal.open(box.current!);
    fit.fit();
    terminal.focus();
    terminal.attachCustomKeyEventHandler((event) => {
      if (event.key !== LEAVE_KEY) return true;
      if (event.type === 'keydown') leave();
      return false;
    });
    const size = () => ({columns: terminal.cols, rows: terminal.rows});
    let over = false;
    const send = (frames: readonly Uint8Array<ArrayBuffer>[]) => {
      if (socket?.readyState === WebSocket.OPEN) for (const frame of frames) socket.send(frame);
    };
    const end = (why: string) => {
      if (!over) setState(why);
      over = true;
      terminal.options.disableStdin = true;
      terminal.options.cursorBlink = false;
    };
    const connect = () => {
      const made = new WebSocket(execAddress(location.origin, job, rank, command, size()), SUBPROTOCOL);
      made.binaryType = 'arraybuffer';
      made.onopen = () => {
        setState('running');
        send([sizeFrame(size())]);
      };
      made.onmessage = ({data}: MessageEvent<ArrayBuffer>) => {
        const frame = readFrame(data);
        if (frame.kind === 'output') terminal.write(frame.bytes);
        else if (frame.kind === 'over') end(frame.why);
      };
      made.onclose = () => end(made.protocol === '' ? REFUSED : 'The connection has ended, and the command with it.');
      return made;
    };
    let socket: WebSocket | undefined;
    try {
      socket = connect();
    } catch (error) {
      end(`No connection: ${errorText(error)}.`); // a browser may be told to allow none
    }
    const typed = terminal.onData((text) => send(inputFrames(new TextEncoder().encode(text))));
    const raw = terminal.onBinary((text) => send(inputFrames(Uint8Array.from(text, (one) => one.charCodeAt(0)))));
    const resized = terminal.onResize(() => send([sizeFrame(size())]));
    const watcher = new ResizeObserver(() => fit.fit());
    watcher.observe(box.current!);
    return () => {
      over = true;
      watcher.disconnect();
      typed.dispose();
      raw.dispose();
      resized.dispose();
      socket?.close();
      terminal.dispose();
      endOfSheets();
    };
  }, [job, rank, command, leave]);
  return (
    <>
      <p className="quiet" role="status" data-testid="shell-state">{state}</p>
      <div ref={box} className="shell" data-testid="shell" />
      <p className="foot">Keys go to the command; <kbd>{LEAVE_KEY}</kbd> leaves the terminal. What it writes is kept here for {LINES_KEPT.toLocaleString('en-US')} lines.</p>
    </>
  );
}
