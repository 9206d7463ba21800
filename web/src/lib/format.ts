/** Numbers with units, for people. All pure. */

/** "4.2 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"; negative spans show as 0 s. */
export function duration(ms: number): string {
  const total = Math.max(0, ms) / 1000;
  if (total < 10) return `${+total.toFixed(1)} s`;
  const s = Math.floor(total);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** "just now", "12 s ago", "3 min ago". */
export function ago(at: string, nowMs: number): string {
  const ms = nowMs - Date.parse(at);
  if (ms < 2000) return 'just now';
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86400)} d ago`;
}

/** At most three decimals, thousands apart: "1,234.5". */
export function number(value: number): string {
  return value.toLocaleString('en-US', {maximumFractionDigits: 3});
}

/** In hours, to a hundredth. */
export function gpuHours(gpuSeconds: number): string {
  return number(Math.round(gpuSeconds / 36) / 100);
}

/** Millionths of a US dollar: "$1,234.50"; below a dollar to hundredths of a cent: "$0.0123". */
export function money(microUsd: number): string {
  if (microUsd === 0) return '$0';
  const digits = Math.abs(microUsd) < 1e6 ? 4 : 2;
  return `$${(microUsd / 1e6).toLocaleString('en-US', {minimumFractionDigits: digits, maximumFractionDigits: digits})}`;
}

/** "$2.00", or "$2.00 to $3.50". */
export function moneyRange({low, high}: {low: number; high: number}): string {
  return low === high ? money(low) : `${money(low)} to ${money(high)}`;
}

export function memory(mib: number): string {
  if (mib >= 1024 * 1024) return `${+(mib / 1024 / 1024).toFixed(1)} TiB`;
  return mib >= 1024 ? `${+(mib / 1024).toFixed(1)} GiB` : `${mib} MiB`;
}

export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    ++unit;
  }
  return `${+value.toFixed(1)} ${units[unit]}`;
}

export function percent(part: number, whole: number): string {
  return whole > 0 ? `${Math.round((100 * part) / whole)} %` : '–';
}

/** "WaitingForTurn" and "task_failed" as words. */
export function words(term: string): string {
  return term
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/[_-]/g, ' ')
    .toLowerCase();
}

/** "WaitingForTurn" as the beginning of a sentence. */
export function sentence(term: string): string {
  const text = words(term);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A time of day in the browser's zone; with the date where it is not today's. */
export function clockTime(at: string, nowMs: number): string {
  const date = new Date(at);
  const time = date.toLocaleTimeString('en-GB');
  return date.toDateString() === new Date(nowMs).toDateString()
    ? time
    : `${date.toLocaleDateString('en-CA')} ${time}`;
}

/** A simulated world has no days of the calendar: "2 d 03:04:05" since its beginning. */
export function sinceBeginning(at: string): string {
  const s = Math.max(0, Math.floor(Date.parse(at) / 1000));
  const time = [s / 3600 % 24, s / 60 % 60, s % 60].map((part) => String(Math.floor(part)).padStart(2, '0')).join(':');
  return s >= 86400 ? `${Math.floor(s / 86400)} d ${time}` : time;
}

/** "1 job", "3 jobs". */
export function count(n: number, noun: string): string {
  return `${number(n)} ${noun}${n === 1 ? '' : 's'}`;
}

/** Where a port is reached; an IPv6 address stands in brackets. */
export const hostPort = (host: string, port: number) => `${host.includes(':') ? `[${host}]` : host}:${port}`;
