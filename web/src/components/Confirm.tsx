import {useEffect, useRef, useState, type ReactNode} from 'react';

/** A button that asks before it acts. Escape and "No" lead back to it. */
export function Confirm({label, yes, title, disabled, note, act}: {
  label: string;
  yes: string;
  title?: string;
  disabled?: boolean;
  note?: ReactNode; // what else a person should know before saying yes
  act: () => void;
}) {
  const [asked, setAsked] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const returning = useRef(false);
  useEffect(() => {
    if (!asked && returning.current) button.current?.focus();
    returning.current = asked;
  }, [asked]);
  if (!asked) {
    return <button ref={button} disabled={disabled} title={title} onClick={() => setAsked(true)}>{label}</button>;
  }
  return (
    <span className="confirm-line" onKeyDown={(event) => { if (event.key === 'Escape') setAsked(false); }}>
      {note && <span>{note}</span>}
      <button className="danger" autoFocus onClick={() => { setAsked(false); act(); }}>{yes}</button>
      <button onClick={() => setAsked(false)}>No</button>
    </span>
  );
}
