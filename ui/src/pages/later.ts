// The pages that are neither the search nor destinations, in a file of their own that is loaded when one of them is wanted.

import './words.ts';

export { ActionsPage } from './actions.tsx';
export { AlertsPage } from './alerts.tsx';
export { EnvironmentsPage } from './environments.tsx';
export { ExportsPage } from './exports.tsx';
export { GovernPage } from './govern.tsx';
export { KeysPage } from './keys.tsx';
export { PortalsPage } from './portals.tsx';
export { TenantsPage } from './tenants.tsx';
export { UsagePage } from './usage.tsx';
export { ViewsPage } from './views.tsx';
