/** The form of a job, and its spec as YAML: what the form cannot show stays as it is. */
import {isMap, parseDocument, type Document} from 'yaml';

export interface Form {
  name: string;
  command: string;
  nodes: string;
  gpu: string;
  cpu: string;
  memory: string;
  queue: string;
  priority: string;
  preemptible: boolean;
  deadline: string;
  expected_duration: string;
  max_per_node: string;
  spread: string;
  pack: string;
  apart: string;
  near: string;
}

export const EMPTY: Form = {
  name: '', command: '', nodes: '', gpu: '', cpu: '', memory: '', queue: '', priority: '', preemptible: false,
  deadline: '', expected_duration: '', max_per_node: '', spread: '', pack: '', apart: '', near: '',
};

const PATHS: Record<keyof Form, string[]> = {
  name: ['name'], command: ['command'], nodes: ['nodes'], gpu: ['resources', 'gpu'], cpu: ['resources', 'cpu'],
  memory: ['resources', 'memory'], queue: ['queue'], priority: ['priority'], preemptible: ['preemptible'],
  deadline: ['deadline'], expected_duration: ['expected_duration'], max_per_node: ['placement', 'max_per_node'],
  spread: ['placement', 'spread'], pack: ['placement', 'pack'], apart: ['placement', 'apart'], near: ['placement', 'near'],
};
const NUMBERS = new Set<keyof Form>(['nodes', 'gpu', 'cpu', 'priority', 'max_per_node']);

/** The field that a problem's JSON pointer speaks of, if the form has it. */
export function fieldAt(pointer: string): keyof Form | undefined {
  const path = pointer.split('/').slice(1);
  return (Object.keys(PATHS) as (keyof Form)[]).find((field) =>
    PATHS[field].every((part, index) => path[index] === part));
}

function valueOf(field: keyof Form, value: string | boolean): string | number | boolean | undefined {
  if (value === '' || value === false) return undefined;
  if (typeof value === 'boolean') return value;
  const text = field === 'command' ? value : value.trim();
  return NUMBERS.has(field) && /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

/** Sets one field in the text of a spec; its comments, order and other fields stay. Null: the text is no YAML map. */
export function withField(text: string, field: keyof Form, value: string | boolean): string | null {
  const document = read(text);
  if (!document) return null;
  const path = PATHS[field];
  const content = valueOf(field, value);
  if (content === undefined) {
    document.deleteIn(path);
    const parent = path.length > 1 ? document.get(path[0]!) : null;
    if (isMap(parent) && parent.items.length === 0) document.delete(path[0]!);
  } else {
    document.setIn(path, content);
  }
  return isMap(document.contents) && document.contents.items.length === 0 ? '' : document.toString({lineWidth: 0});
}

/** What the form shows of a text. Null: it cannot (no YAML map, or a command that is a list). */
export function formOf(text: string): Form | null {
  const document = read(text);
  if (!document) return null;
  const form = {...EMPTY};
  for (const field of Object.keys(PATHS) as (keyof Form)[]) {
    if (!document.hasIn(PATHS[field])) continue;
    const value: unknown = document.getIn(PATHS[field]);
    if (field === 'preemptible') form.preemptible = value === true;
    else if (typeof value === 'string' || typeof value === 'number') form[field] = String(value);
    else return null;
  }
  return form;
}

function read(text: string): Document | null {
  const document = parseDocument(text.trim() === '' ? '{}' : text);
  if (document.errors.length > 0 || !isMap(document.contents)) return null;
  document.contents.flow = false;
  return document;
}
