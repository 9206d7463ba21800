// The dashboard's services, in a real browser. Run by test_pages.py, or by `node --test`.
import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';

import {Cloud} from './cloud.mjs';
import {accessible, becomes, page, see} from './stage.mjs';

describe('services', () => {
  let served;
  const visit = (path) => page.goto(`${served.url}/#${path}`);
  const row = (name) => page.locator(`[data-service=${name}]`);

  before(async () => {
    served = await new Cloud().up();
  });
  after(() => served?.close());

  test('are listed with what they serve and what they lack', async () => {
    await visit('/services');
    await see('No service yet');
    await served.apply({name: 'chat', replicas: 2, resources: {gpu: 1}});
    await row('chat').getByText('2 of 2').waitFor(); // without a reload
    await row('chat').locator('.state.ready').waitFor();
    const {url} = (await served.get('/v1/services/chat'));
    for (let i = 0; i < 4; ++i) assert.equal((await fetch(`${url}${i ? 'ready' : 'no-such-page'}`)).status, i ? 200 : 404);
    await row('chat').getByText(/^[\d.]+ ms$/).first().waitFor();
    await served.apply({name: 'wide', resources: {gpu: 4}, wait: false});
    await row('wide').locator('.state.short').waitFor();
    await row('wide').getByText(/WaitingForTurn/).waitFor();
    await accessible();
    await page.keyboard.press('g');
    await page.keyboard.press('j');
    await page.getByRole('heading', {name: 'Jobs'}).waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('v');
    await row('chat').getByRole('link', {name: 'chat'}).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', {name: 'chat'}).waitFor();
  });

  test('one is shown with its replicas, and leads to their jobs', async () => {
    await visit('/services/chat');
    const {replicas: [first]} = await served.get('/v1/services/chat');
    const replica = page.locator(`[data-replica="${first.job}"]`);
    await replica.locator('.state.ready').waitFor();
    await replica.getByRole('link', {name: first.node}).waitFor();
    await page.locator('[data-event] .state.running').first().waitFor();
    await page.locator('.tile', {hasText: '4 since the server began'}).waitFor();
    await page.getByLabel('Service spec').getByText('kind: service').waitFor();
    await accessible();
    await page.setViewportSize({width: 375, height: 812});
    await becomes(() => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), (over) => over <= 0, 'it is too wide');
    await page.setViewportSize({width: 1280, height: 860});
    await replica.getByRole('link', {name: `job ${first.job}`}).click();
    await page.getByRole('heading', {name: 'chat'}).waitFor();
    await page.getByRole('tab', {name: 'output'}).waitFor();
  });

  test('a rollout shows how far it is, and why it was undone', async () => {
    await served.cli('service', 'delete', 'wide'); // its replica is the next in line
    await visit('/services/chat');
    const stuck = {name: 'chat', replicas: 2, resources: {gpu: 1}, wait: false, env: {MARK: 'not-yet'}};
    await served.apply(stuck);
    const rollout = page.getByRole('region', {name: 'Rollout'});
    await rollout.getByText('Revision 1 comes back if it does not work').waitFor();
    await rollout.locator('[data-revision="2"]').getByText('0 of 1 replica ready').waitFor();
    const unready = page.locator('[data-replica] .state', {hasText: 'not ready'}).first();
    assert.deepEqual((await unready.getAttribute('class')).split(' '), ['state', 'not-ready']); // not in the colour of what is ready
    await page.locator('[data-replica]').getByText('readiness: GET /ready: ').first().waitFor();
    await accessible();
    await served.apply({...stuck, rollout: {progress_deadline: '1s'}}); // the same revision, which had its time
    await rollout.getByText('revision 2 was undone').waitFor();
  });

  test('what cannot be read is told', async () => {
    await visit('/services/none');
    await see('there is no service \'none\'');
    await page.route('**/v1/services', (route) => route.fulfill({status: 503, json: {detail: 'the core is busy'}}));
    await visit('/services');
    await page.reload();
    await see('Cannot show services: the core is busy');
    await page.unroute('**/v1/services');
    await page.getByRole('button', {name: 'Try again'}).click();
    await row('chat').waitFor();
  });
});
