/** What stands in the place of content: while it comes, when there is none, and when it failed. */
import type {ReactNode} from 'react';

import {errorText} from '../api/api';

export function Loading({what}: {what: string}) {
  return (
    <p className="empty" role="status">
      <span className="spinner" aria-hidden="true" /> Loading {what}…
    </p>
  );
}

export function Empty({children}: {children: ReactNode}) {
  return <div className="empty">{children}</div>;
}

export function Failed({what, error, retry}: {what: string; error: unknown; retry?: () => void}) {
  return (
    <div className="empty bad" role="alert">
      <p>
        Cannot show {what}: {errorText(error)}.
      </p>
      {retry && <button onClick={retry}>Try again</button>}
    </div>
  );
}

/** Content once it is there. What was read before stays while it is read again, and when that fails. */
export function Shown<T>({query, what, children}: {
  query: {data?: T; error?: unknown; refetch: () => unknown};
  what: string;
  children: (data: T) => ReactNode;
}) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error) return <Failed what={what} error={query.error} retry={() => void query.refetch()} />;
  return <Loading what={what} />;
}
