// The texts of the pages that are not the search, loaded once, before the first of them.

import { adminEn } from '../messages/admin.en.ts';
import { extendNow } from '../text.ts';

await extendNow(adminEn, { de: () => import('../messages/admin.de.ts').then(({ adminDe }) => adminDe) });
