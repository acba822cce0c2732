// A page of an application with Retraced's viewer in it, as its README has it.
import { createRoot } from "react-dom/client";
import RetracedEventsBrowser from "@retracedhq/logs-viewer";

const { host, token } = window.viewer;
createRoot(document.getElementById("root")).render(
  <RetracedEventsBrowser host={host} auditLogToken={token} header="Audit Logs" />,
);
