// What the viewer loads after its first rows: details of an event, the chooser of columns, ranges and time zones.

import { moreEn } from '../messages/more.en.ts';
import { extendNow } from '../text.ts';

await extendNow(moreEn, { de: () => import('../messages/more.de.ts').then(({ moreDe }) => moreDe) });

export { Columns } from './columns.tsx';
export { CustomRange, ZoneDialog } from './times.tsx';
export { Detail } from './detail.tsx';
