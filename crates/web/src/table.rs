//! Written by `npm run build` in `ui/`; do not edit.

use crate::File;

/// Every file, by path.
pub static FILES: &[File] = &[
    File {
        path: "assets/about-B4DsWF4h.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/about-B4DsWF4h.js"),
    },
    File {
        path: "assets/admin.de-BtZ9sfeA.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/admin.de-BtZ9sfeA.js"),
    },
    File {
        path: "assets/client-ChfFWPbO.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/client-ChfFWPbO.js"),
    },
    File {
        path: "assets/connect-CwsVYRII.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/connect-CwsVYRII.js"),
    },
    File {
        path: "assets/connect.de-DaUdOtEE.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/connect.de-DaUdOtEE.js"),
    },
    File {
        path: "assets/console-BNSnelSD.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/console-BNSnelSD.js"),
    },
    File {
        path: "assets/console.de-B8br17IF.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/console.de-B8br17IF.js"),
    },
    File {
        path: "assets/copy-B0P398id.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/copy-B0P398id.js"),
    },
    File {
        path: "assets/copy-CB4f5ndE.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/copy-CB4f5ndE.js"),
    },
    File {
        path: "assets/count-Dg9aTFj5.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/count-Dg9aTFj5.js"),
    },
    File {
        path: "assets/de-FAiykmY2.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/de-FAiykmY2.js"),
    },
    File {
        path: "assets/extras-BhpzW-mw.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/extras-BhpzW-mw.js"),
    },
    File {
        path: "assets/extras-C7eEpoAB.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/extras-C7eEpoAB.js"),
    },
    File {
        path: "assets/inputs-D4uei8wf.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/inputs-D4uei8wf.js"),
    },
    File {
        path: "assets/later-DPSKAohP.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/later-DPSKAohP.js"),
    },
    File {
        path: "assets/menus-C56nRwd6.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../dist/assets/menus-C56nRwd6.css"),
    },
    File {
        path: "assets/menus-CYciRGeG.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/menus-CYciRGeG.js"),
    },
    File {
        path: "assets/more.de-B4woj6bO.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/more.de-B4woj6bO.js"),
    },
    File {
        path: "assets/parse-BPbzbsU4.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/parse-BPbzbsU4.js"),
    },
    File {
        path: "assets/parts-DnVEYfge.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/parts-DnVEYfge.js"),
    },
    File {
        path: "assets/portal-COC_2dZP.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/portal-COC_2dZP.js"),
    },
    File {
        path: "assets/proofs.de-B4xf5Pps.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/proofs.de-B4xf5Pps.js"),
    },
    File {
        path: "assets/verify-BAmeuXLm.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/verify-BAmeuXLm.js"),
    },
    File {
        path: "assets/verify-C2nu_HsJ.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/verify-C2nu_HsJ.js"),
    },
    File {
        path: "assets/view-BC-O9I7O.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/view-BC-O9I7O.js"),
    },
    File {
        path: "assets/view-C35aHXh0.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/view-C35aHXh0.js"),
    },
    File {
        path: "embed.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/embed.js"),
    },
    File {
        path: "favicon.svg",
        media_type: "image/svg+xml",
        bytes: include_bytes!("../dist/favicon.svg"),
    },
    File {
        path: "index.html",
        media_type: "text/html; charset=utf-8",
        bytes: include_bytes!("../dist/index.html"),
    },
    File {
        path: "portal.html",
        media_type: "text/html; charset=utf-8",
        bytes: include_bytes!("../dist/portal.html"),
    },
];
