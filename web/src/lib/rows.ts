import {useEffect, useRef, useState} from 'react';

/** A value that changes so often at most: at once after a rest, else when `ms` are over. */
export function useThrottled<T>(value: T, ms: number): T {
  const [shown, setShown] = useState(value);
  const changedAt = useRef(0);
  useEffect(() => {
    if (Object.is(shown, value)) return;
    const timer = setTimeout(() => {
      changedAt.current = performance.now();
      setShown(value);
    }, Math.max(0, changedAt.current + ms - performance.now()));
    return () => clearTimeout(timer);
  }, [shown, value, ms]);
  return shown;
}

/** Arrow keys, Home and End walk through the links marked with `data-row` inside the box. */
export function useRowKeys(scrollTo: (index: number) => void, length: number): React.RefObject<HTMLDivElement | null> {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const onKey = (event: KeyboardEvent) => {
      const from = (event.target as HTMLElement).closest<HTMLElement>('[data-row]');
      if (!from) return;
      const index = Number(from.dataset.row);
      const to = {ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: length - 1,
        PageDown: index + 20, PageUp: index - 20}[event.key];
      if (to === undefined) return;
      event.preventDefault();
      focusRow(element, Math.min(length - 1, Math.max(0, to)), scrollTo);
    };
    element.addEventListener('keydown', onKey);
    return () => element.removeEventListener('keydown', onKey);
  }, [scrollTo, length]);
  return box;
}

/** The row may have to be drawn first. */
function focusRow(box: HTMLElement, index: number, scrollTo: (index: number) => void, tries = 20): void {
  const row = box.querySelector<HTMLElement>(`[data-row="${index}"]`);
  if (row) {
    row.focus();
    return;
  }
  scrollTo(index);
  if (tries > 0) requestAnimationFrame(() => focusRow(box, index, scrollTo, tries - 1));
}
