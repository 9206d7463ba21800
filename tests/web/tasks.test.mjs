// The tasks and attempts of one job, and logs that are longer than a page. Run by test_pages.py, or by `node --test`.
import assert from 'node:assert/strict';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, test} from 'node:test';

import {Cloud} from './cloud.mjs';
import {accessible, addressed, counts, page, see} from './stage.mjs';

let cloud;

before(async () => {
  cloud = await new Cloud().up('--agents', '127.0.0.1:0');
  await cloud.agent('second', '4xH100:80GB');
});
after(() => cloud?.close());

const go = (path) => page.goto(`${cloud.url}/#${path}`);
const line = (text) => page.locator('.line', {hasText: text});

describe('a job of many tasks and attempts', () => {
  let job;

  test('shows the output of each, and how it ended', async () => {
    const gate = mkdtempSync(join(tmpdir(), 'gyre-gate-'));
    job = await cloud.submit({name: 'gang', nodes: 2, resources: {gpu: 1}, retry: {on: ['error'], max: 1, backoff: '0s..0s'},
      // None fails before all have written: the others would be stopped.
      command: 'echo "task $GYRE_TASK_RANK of attempt $GYRE_ATTEMPT."; test "$GYRE_ATTEMPT" = 2 && exec sleep 1000; '
        + `touch ${gate}/$GYRE_TASK_RANK; until test -e ${gate}/0 -a -e ${gate}/1; do sleep 0.05; done; exit 3`});
    await cloud.wait(job, 'running');
    await cloud.until(async () => (await cloud.get(`/v1/jobs/${job}`)).attempt === 2, 'it is tried again');
    await cloud.wait(job, 'running');
    await go(`/jobs/${job}`);
    await line('task 0 of attempt 2.').waitFor();
    const choice = page.getByRole('group', {name: 'Which task and attempt'});
    await choice.getByText('Attempt 2 goes on').waitFor();
    await choice.getByRole('button', {name: 'The next task'}).click();
    await line('task 1 of attempt 2.').waitFor();
    await addressed('rank', '1');
    await choice.getByLabel('Attempt').selectOption('1');
    await line('task 1 of attempt 1.').waitFor();
    await choice.getByText(/Attempt 1: task failed at .* after/).waitFor();
    await counts(line('attempt 2'), 0, 'a chosen attempt is not followed by the next');
    await page.getByTestId('log-state').getByText('complete').waitFor();
    await accessible();
    rmSync(gate, {recursive: true});
  });

  test('the keyboard changes the task, and the address brings a choice back', async () => {
    await page.getByRole('spinbutton', {name: 'Task'}).focus();
    await page.keyboard.press('ArrowDown');
    await line('task 0 of attempt 1.').waitFor();
    await addressed('rank', '0');
    await addressed('attempt', '1');
    await page.reload();
    await line('task 0 of attempt 1.').waitFor();
    await go(`/jobs/${job}?rank=99&attempt=99`);
    await line('task 0 of attempt 2.').waitFor();
    await go(`/jobs/${job}?rank=1&tab=GPUs`);
    await page.getByRole('heading', {name: /^Task 1 on/}).waitFor();
    await counts(page.getByRole('heading', {name: /^Task 0 on/}), 0);
    await page.getByRole('tab', {name: 'GPUs'}).press('ArrowLeft');
    await page.getByRole('tab', {name: 'terminal', selected: true}).waitFor();
    await addressed('tab', 'terminal');
    await go(`/jobs/${job}?attempt=1&tab=GPUs`);
    await see('Which GPUs an earlier attempt had is not kept');
    await cloud.cli('stop', String(job));
    await cloud.wait(job, 'cancelled');
    await go(`/jobs/${job}?rank=1`);
    await page.getByRole('group', {name: 'Which task and attempt'}).getByText(/Attempt 2: user request .*signal/).waitFor();
    await page.getByRole('group', {name: 'Exit codes by task'}).getByRole('button', {name: '143 of 0-1'}).click();
    await addressed('rank', '0');
  });
});

describe('a log longer than a page', () => {
  test('is searched as far as it is shown, says so, and is searched whole by the server', async () => {
    const job = await cloud.run('--name', 'long', '--', 'sh', '-c',
      'echo the very Beginning; seq -f "line %09.0f of many" 1 150000; echo the beginning of the end');
    await cloud.wait(job, 'succeeded');
    const {size} = await fetch(`${cloud.url}/v1/jobs/${job}/logs`).then(({headers}) => ({size: Number(headers.get('X-Log-Size'))}));
    assert.ok(size > 3 * 1024 * 1024);
    await go(`/jobs/${job}`);
    await line('the beginning of the end').waitFor();
    await page.locator('.foot', {hasText: /^[\d,]+ lines of attempt 1: 1 MiB of 3\.\d MiB, from 2\.\d MiB after its beginning on/}).waitFor();
    await page.getByRole('searchbox', {name: 'Search the output'}).fill('very beginning');
    await see('not found in the 1 MiB shown');
    await page.getByRole('searchbox', {name: 'Search the output'}).fill('the beginning');
    await see('1 of 1 line of the 1 MiB shown');
    await page.getByRole('searchbox', {name: 'Search the output'}).fill('BEGINNING');
    await page.getByRole('button', {name: /^Search all 3\.\d MiB$/}).click();
    const found = page.getByRole('region', {name: 'Found in all of the log'});
    await found.getByText(/^2 lines in all 3\.\d MiB$/).waitFor();
    await accessible();
    await found.getByRole('button', {name: 'the very Beginning'}).press('Enter');
    await page.locator('.line.current', {hasText: 'the very Beginning'}).waitFor();
    await addressed('at', '0');
    await page.getByTestId('log-state').getByText('a part of it').waitFor();
    await page.locator('.foot', {hasText: 'from its beginning on'}).waitFor();
    await page.locator('.line').first().getByText('the very Beginning', {exact: true}).waitFor();
    await page.getByRole('button', {name: 'Show its end'}).click();
    await line('the beginning of the end').waitFor();
    await page.getByRole('button', {name: 'Show its beginning'}).click();
    await line('line 000000001 of many').waitFor();
    const middle = 1 + (await (await fetch(`${cloud.url}/v1/jobs/${job}/logs?offset=1000000`)).text()).indexOf('\n');
    await go(`/jobs/${job}?at=${1_000_000 + middle}`);
    await page.locator('.line.current', {hasText: /^line \d{9} of many$/}).waitFor();
  });

  test('one that is here whole says that it is', async () => {
    const job = await cloud.run('--name', 'short', '--', 'sh', '-c', 'echo one; echo two');
    await cloud.wait(job, 'succeeded');
    await go(`/jobs/${job}`);
    await page.locator('.foot', {hasText: '2 lines, all 8 B of attempt 1'}).waitFor();
    await page.getByRole('searchbox', {name: 'Search the output'}).fill('three');
    await see('not found', {exact: true});
    await counts(page.getByRole('button', {name: /^Search all/}), 0);
  });
});
