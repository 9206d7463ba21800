import type {Node} from '../api/api';
import {Name, Panel} from './Bits';
import {Empty} from './States';

const DIGEST_SHOWN = 19; // "sha256:" and twelve digits, as container tools show it

/** Images that a task there starts from without a download; and the last one that could not be fetched ahead. */
export function ImagesPanel({node}: {node: Node}) {
  const images = node.images ?? [];
  const {image_trouble: trouble} = node;
  return (
    <Panel title="Images held">
      {trouble && (
        <div className="reason bad" role="status">
          <strong><Name>{trouble.image}</Name> could not be fetched ahead</strong>
          <p><Name>{trouble.error}</Name></p>
        </div>
      )}
      {images.length === 0 ? <Empty>None: each image is fetched when a job needs it, or ahead by <code>gyre image prefetch IMAGE</code>.</Empty> : (
        <div className="wide-table" tabIndex={0} role="region" aria-label="Table of images">
          <table>
            <caption className="hidden">Images that the node holds whole</caption>
            <thead><tr><th scope="col">Image</th><th scope="col">Digest</th></tr></thead>
            <tbody>{images.map(({reference, digest}) => (
              <tr key={`${reference} ${digest}`}>
                <th scope="row"><Name>{reference}</Name></th>
                <td>{digest ? <code title={digest}>{digest.slice(0, DIGEST_SHOWN)}</code> : 'not told'}</td>
              </tr>
            ))}</tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
