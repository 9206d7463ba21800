// What a person is told of, can take back, and can set up: in a real browser, on a real server.
import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';

import {Cloud} from './cloud.mjs';
import {accessible, becomes, counts, HOSTILE, page, see} from './stage.mjs';

const QUEUES = `version: 1
queues:
  - {name: research, guaranteed: {gpus: 2}}
  - {name: product}
`;
const PLAYBOOKS = `version: 1
name: mine
playbooks:
  refuses: {on: start_refused, times: 1, do: [cordon]}
limits: {nodes: 100%}
`;

describe('what a person should know and do', () => {
  let cloud;
  let starves;
  const visit = (path) => page.goto(`${cloud.url}/#${path}`);
  const alert = (text) => page.locator('[data-alert]', {hasText: text});

  before(async () => {
    cloud = new Cloud();
    await cloud.up('--agents', '127.0.0.1:0', '--queues', cloud.write('queues.yaml', QUEUES));
    await cloud.agent('gpu-ill', '1xA100:40GB');
  });
  after(() => cloud?.close());

  test('alerts say that nothing needs a person while all is well', async () => {
    await visit('/');
    await page.getByRole('region', {name: 'Alerts'}).getByText('Nothing needs you.').waitFor();
    await accessible();
  });

  test('alerts tell of nodes out of service, services that lack replicas, and queues that starve', async () => {
    const holds = await cloud.submit({name: 'holds', queue: 'product', command: 'sleep 1000', resources: {gpu: 'H100:1'}});
    await cloud.wait(holds, 'running');
    starves = await cloud.submit({name: 'starves', queue: 'research', command: 'sleep 1000', resources: {gpu: 'H100:4'}});
    await cloud.apply({name: 'video', wait: false, replicas: 1, resources: {gpu: 'H100:4'}});
    await cloud.cli('node', 'cordon', 'gpu-ill');
    await visit('/');
    await alert('gpu-ill').getByText('until a person puts it back').waitFor();
    await alert('research').getByText('holds 0 of 2 GPUs that it is guaranteed').waitFor();
    await alert('video').getByText('0 of 1 replica ready').waitFor();
    await becomes(() => page.locator('[data-alert]').first().innerText(), (text) => /down[^]*video/.test(text), 'what does not work stands first');
    await accessible();
    await alert('gpu-ill').getByRole('link', {name: 'gpu-ill'}).click();
    await page.getByRole('button', {name: 'Back into service'}).click();
    await page.locator('.bar .state.up').waitFor();
    await cloud.cli('service', 'delete', 'video');
    await visit('/');
    await alert('gpu-ill').waitFor({state: 'detached'});
    await alert('research').getByRole('link', {name: 'research'}).click();
    await page.getByRole('heading', {name: 'starves'}).waitFor();
  });

  test('what cannot be read is told, and the rest still is', async () => {
    await page.route('**/v1/services', (route) => route.fulfill({status: 503, json: {detail: 'the core is busy'}}));
    await visit('/');
    await page.reload();
    await page.getByRole('alert').getByText('Nothing is known of services: the core is busy').waitFor();
    await alert('research').waitFor();
    await page.unroute('**/v1/services');
    await cloud.cli('stop', String(starves));
  });

  test('a decision says whether it can be undone, and stops the job it started after a question', async () => {
    const job = await cloud.submit({name: 'mistake', command: 'sleep 1000'});
    await cloud.wait(job, 'running');
    const done = await cloud.submit({name: 'brief', command: 'true'});
    await cloud.wait(done, 'succeeded');
    await visit('/decisions');
    const line = (name) => page.locator('.decision', {hasText: name});
    await line('brief').getByText('Cannot be undone: the job is over').waitFor();
    await line('mistake').getByRole('button', {name: 'Stop the job'}).click();
    await line('mistake').getByText('since its last checkpoint is lost').waitFor();
    await accessible();
    await line('mistake').getByRole('button', {name: 'Yes, stop it'}).click();
    await cloud.wait(job, 'cancelled');
    await line('mistake').getByText('Cannot be undone: the job is over').waitFor(); // without a reload
  });

  test('an act of healing stands among the decisions, and is undone there', async () => {
    await cloud.cli('heal', 'apply', cloud.write('playbooks.yaml', PLAYBOOKS));
    const job = await cloud.submit({name: 'misspelt', command: ['true'], working_directory: '/no/such/folder', resources: {gpu: 'A100:1'}, retry: {max: 0}});
    await cloud.wait(job, 'failed');
    await visit('/decisions?kind=heal');
    const act = page.locator('.incident', {hasText: 'gpu-ill'});
    await act.getByText('out of service until a person puts it back').waitFor();
    await counts(page.locator('.decision'), 0);
    await visit('/');
    await alert('gpu-ill').getByText('start refused').waitFor();
    await visit('/decisions');
    await act.getByRole('button', {name: 'Undo'}).click();
    await act.getByRole('button', {name: 'Yes, back into service'}).click();
    await act.getByText('a person put the node back').waitFor();
    await act.getByText('nothing: it is over').waitFor();
    await becomes(async () => (await cloud.get('/v1/nodes?name=gpu-ill')).nodes[0].state, (state) => state === 'up');
  });

  test('what a service does by itself stands among the decisions, what a person asked for does not', async () => {
    await cloud.apply({name: 'naps', replicas: {min: 0, max: 1, idle: '1s'}, wait: false});
    const {url} = await cloud.get('/v1/services/naps');
    await fetch(`${url}ready`); // wakes it; a second later it rests again
    await visit('/decisions?kind=service');
    const acts = page.locator('.decision[data-kind=service]', {hasText: 'naps'});
    await acts.getByText('to 0 replicas').first().waitFor();
    await acts.getByText('it follows its load').first().waitFor();
    await accessible();
    await page.getByRole('button', {name: 'service', exact: true}).click();
    await page.locator('.decision[data-kind=start]').first().waitFor();
    await acts.first().waitFor();
  });

  test('what was changed of a spec is shown before it is submitted, and on the job that came of it', async () => {
    const first = await cloud.submit({name: 'train', command: 'echo one', env: {WHO: HOSTILE}});
    await cloud.wait(first, 'succeeded');
    await visit(`/jobs/${first}`);
    await page.getByRole('tab', {name: 'spec'}).click();
    await see('No job before it has its name');
    await page.getByRole('link', {name: 'Change it and submit again'}).click();
    await see('Nothing yet: it would be the same job again.');
    await page.getByRole('button', {name: 'YAML'}).click();
    const text = await page.getByLabel('Job spec as YAML').inputValue();
    await page.getByLabel('Job spec as YAML').fill(text.replace('echo one', 'echo two'));
    const changes = page.getByRole('group', {name: `Changes of the spec of job ${first}`});
    await changes.locator('del', {hasText: 'echo one'}).waitFor();
    await changes.locator('ins', {hasText: 'echo two'}).waitFor();
    await accessible();
    await page.getByRole('button', {name: 'Submit', exact: true}).click();
    await page.getByRole('heading', {name: 'train'}).waitFor();
    await see('made from');
    await page.getByRole('button', {name: 'What differs'}).click();
    await see('it was made from that one');
    const second = Number(/jobs\/(\d+)/.exec(page.url())[1]);
    const difference = page.getByRole('group', {name: `From job ${first} to job ${second}`});
    await difference.locator('del', {hasText: 'echo one'}).waitFor();
    await visit(`/jobs/${second}?compare=${second}`);
    await see('That is this job.');
    await visit(`/jobs/${second}`);
    await page.getByRole('tab', {name: 'spec'}).click();
    await see('the one before it with its name');
    await difference.locator('ins', {hasText: 'echo two'}).waitFor();
    await page.getByLabel('Compare with the spec of the job with this id').fill('99999');
    await see('Cannot show the spec of job 99999');
    assert.equal(await page.evaluate(() => window.hacked), undefined);
  });

  test('another policy is made live after a question; what is wrong with one is said', async () => {
    await visit('/admin');
    const policy = page.getByRole('region', {name: 'Policy'});
    const own = page.getByLabel('A policy of your own as YAML');
    const before = (await cloud.get('/v1/policy')).name;
    await policy.getByText('A policy of your own').click();
    await own.fill('version: 1\nname: own\norder: fastest\n');
    await policy.getByRole('button', {name: 'Make it live'}).click();
    await policy.getByRole('button', {name: 'Yes, decide by own'}).click();
    await policy.getByRole('alert').getByText('expected one of').waitFor();
    await accessible();
    assert.equal((await cloud.get('/v1/policy')).name, before);
    await own.fill('version: 1\nname: own\nbase: gyre\nstarve_after: 1d\n');
    await policy.getByRole('button', {name: 'Make it live'}).click();
    await policy.getByRole('button', {name: 'Yes, decide by own'}).click();
    await policy.getByRole('listitem').filter({hasText: 'of a policy file'}).getByText(/live$/).waitFor();
    await cloud.cli('policy', 'set', 'sjf-easy');
    await page.reload();
    const history = page.getByRole('list', {name: 'Policies that decided'});
    await history.getByRole('listitem').filter({has: page.getByText('own', {exact: true})}).getByText(/event \d+/).waitFor();
    await counts(history.getByRole('listitem'), 3);
    await policy.getByText('As a file').click();
    await policy.locator('pre[aria-label="The policy as a file"]', {hasText: 'name: sjf-easy'}).waitFor();
    await accessible();
    await cloud.cli('policy', 'set', before);
  });

  test('a change of the policy stands among the decisions with what it changed, and is undone there', async () => {
    const before = (await cloud.get('/v1/policy')).name;
    await cloud.cli('policy', 'set', 'sjf-easy');
    await visit('/decisions?kind=policy');
    const latest = page.locator('.decision[data-kind=policy]', {has: page.getByRole('button', {name: 'Undo'})});
    await latest.getByText(`sjf-easy decides from here on, in place of ${before}`).waitFor();
    await counts(latest, 1, 'only the latest has its way back');
    await page.locator('.decision[data-kind=policy]', {hasText: 'sjf-easy has taken its place since'}).first().waitFor();
    await latest.getByText('What it changed').click();
    await latest.getByRole('group', {name: `From policy ${before} to sjf-easy`}).locator('ins', {hasText: 'name: sjf-easy'}).waitFor();
    await accessible();
    await latest.getByRole('button', {name: 'Undo'}).click();
    await see('What waits is decided by it at once');
    await accessible();
    await page.getByRole('button', {name: `Yes, decide by ${before}`}).click();
    await latest.getByText(`${before} decides from here on, in place of sjf-easy`).waitFor(); // without a reload
    assert.equal((await cloud.get('/v1/policy')).name, before);
    await page.getByRole('button', {name: 'policy', exact: true}).click();
    await page.locator('.decision[data-kind=start]').first().waitFor();
    await latest.waitFor();
  });

  test('what is broken on purpose is told wherever it shows, and is ended after a question', async () => {
    await cloud.agent('gpu-drill', '1xL40S:48GB', '--chaos');
    const drain = () => cloud.post('/v1/nodes/gpu-drill/faults', {do: 'drain-node', for: '10m', by: HOSTILE});
    await drain();
    await visit('/');
    const drill = page.getByRole('region', {name: 'Broken on purpose'});
    await drill.getByText('A drill: 1 node broken on purpose').waitFor();
    await drill.getByText('it ends by itself in').waitFor();
    await alert('gpu-drill').getByText('on purpose: it is drained').waitFor();
    await accessible();
    await drill.getByRole('button', {name: 'End it now'}).click();
    await drill.getByRole('button', {name: 'Yes, end it'}).click();
    await drill.waitFor({state: 'detached'}); // without a reload
    await becomes(async () => (await cloud.get('/v1/nodes?name=gpu-drill')).nodes[0].state, (state) => state === 'up');
    await drain();
    await visit('/nodes');
    const row = page.getByRole('row', {name: /gpu-drill/});
    await row.getByText('broken on purpose').waitFor();
    await accessible();
    await row.getByRole('link', {name: 'gpu-drill'}).click();
    await drill.getByText('it is drained').waitFor();
    await drill.getByRole('button', {name: 'End all, and allow no more'}).click();
    await accessible();
    await drill.getByRole('button', {name: 'Yes, switch faults on purpose off'}).click();
    await drill.waitFor({state: 'detached'});
    assert.equal((await cloud.get('/v1/chaos')).on, false);
    await assert.rejects(drain(), /off/);
    await visit('/healing');
    const panel = page.getByRole('region', {name: 'Faults on purpose', exact: true});
    await panel.getByText('by dashboard').waitFor();
    await panel.locator('[data-fault] .state', {hasText: 'recovered'}).nth(1).waitFor(); // both of them
    await accessible();
    await panel.getByRole('button', {name: 'Allow faults on purpose'}).click();
    await panel.getByRole('button', {name: 'Yes, allow them'}).click();
    await panel.getByText('1 agent takes them').waitFor();
    await panel.locator('.state', {hasText: 'allowed'}).waitFor();
    assert.equal((await cloud.get('/v1/chaos')).on, true);
    assert.equal(await page.evaluate(() => window.hacked), undefined);
  });

  test('a node tells of its agent and of the images that it holds', async () => {
    await visit('/nodes');
    await page.getByRole('row', {name: /gpu-drill/}).getByText('takes faults').waitFor();
    await visit('/nodes/gpu-drill');
    const agent = page.getByRole('region', {name: 'Agent'});
    await agent.getByText('connected').waitFor();
    await agent.getByText('within the last 5 s').waitFor();
    await agent.getByText('it takes them').waitFor();
    await agent.getByText((await cloud.get('/v1/server')).version, {exact: true}).waitFor();
    const images = page.getByRole('region', {name: 'Images held'});
    await images.getByText('each image is fetched when a job needs it').waitFor();
    await accessible();
    await visit('/nodes/gpu-ill');
    await agent.getByText('it refuses them').waitFor();
    // Images, and an agent that is gone: told by a made-up answer, since no registry is at hand.
    const {nodes: [node]} = await cloud.get('/v1/nodes?name=gpu-ill');
    const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
    await page.route('**/v1/nodes?name=gpu-ill', (route) => route.fulfill({json: {nodes: [{...node, state: 'down', machine: null, images_held: 1,
      images: [{reference: `registry.example/${HOSTILE}`, digest}], image_trouble: {image: 'big:latest', error: 'no space left'}}]}}));
    await page.reload();
    await images.getByText('sha256:0123456789ab').waitFor();
    await images.getByText('no space left').waitFor();
    await agent.locator('.state', {hasText: 'away'}).waitFor();
    await accessible();
    assert.equal(await page.evaluate(() => window.hacked), undefined);
    await page.unroute('**/v1/nodes?name=gpu-ill');
  });

  test('admin makes a token that lets a machine in, and shows it once', async () => {
    await visit('/admin');
    await page.getByRole('region', {name: 'The server'}).getByText('are left alone').waitFor();
    const journal = page.getByRole('region', {name: 'Journal'});
    await journal.getByText('SQLite, in the state folder').waitFor();
    await journal.getByText('none is known').waitFor();
    await cloud.cli('backup', 'create', 'one.gyre');
    await journal.getByText('one.gyre').waitFor(); // without a reload
    const machines = page.getByRole('region', {name: 'Other machines'});
    await machines.getByRole('row', {name: /gpu-ill/}).getByText('valid').waitFor();
    await accessible();
    await page.getByLabel('For the node of this name alone').fill('no such/name');
    await page.getByRole('button', {name: 'Make a token'}).click();
    await page.getByRole('alert').getByText('No token').waitFor();
    await page.getByLabel('For the node of this name alone').fill('');
    await page.getByRole('button', {name: 'Make a token'}).click();
    const token = await page.locator('.token code').innerText();
    assert.match(token, /^gyre1\.[0-9a-f]{64}\./);
    await accessible();
    await visit('/');
    await page.getByRole('region', {name: 'Alerts'}).waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('a');
    await page.getByRole('button', {name: 'Make a token'}).waitFor();
    await counts(page.locator('.token'), 0, 'it is gone');
  });

  test('admin shows the playbooks in force, and puts the built-in ones back after a question', async () => {
    await visit('/admin');
    const panel = page.getByRole('region', {name: 'Playbooks of healing'});
    await panel.getByText('mine', {exact: true}).waitFor();
    await panel.getByRole('row', {name: /start refused 1 /}).waitFor();
    await panel.getByRole('button', {name: 'Put the built-in ones back'}).click();
    await panel.getByRole('button', {name: 'Yes, put them back'}).click();
    await panel.getByText('the built-in ones').waitFor();
    assert.equal((await cloud.get('/v1/healing')).name, 'default');
    await page.getByRole('region', {name: 'Prices'}).getByText('No price is given').waitFor();
  });
});
