// The pages about destinations, in a file of their own that is loaded when one of them is wanted.

import './words.ts';
import { connectEn } from '../messages/connect.en.ts';
import { extendNow } from '../text.ts';

await extendNow(connectEn, { de: () => import('../messages/connect.de.ts').then(({ connectDe }) => connectDe) });

export { BlueprintsPage } from './blueprints.tsx';
export { DestinationsPage } from './destinations.tsx';
