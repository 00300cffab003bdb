// Cards for the dashboards in JupyterLab's launcher: a module federation container written by hand, no build step.
(() => {
  "use strict";
  const PAGES = [
    ["import", "Import production", "Bring in the monthly feed or a file", "M12 3v11m-4-4 4 4 4-4M4 17v3h16v-3"],
    ["status", "Production status", "What is stored, running and done", "M4 20h16M7 20v-6m5 6V6m5 14v-9"],
    ["explore", "Explore production", "See fields and wells as charts and figures", "M4 4v16h16M7 15l4-5 3 3 5-7"],
    ["download", "Download production", "Take figures away as a file", "M6 3h8l4 4v14H6zM12 9v8m-3-3 3 3 3-3"],
  ];

  const icon = (path) =>
    `<svg xmlns="http://www.w3.org/2000/svg" width="24" viewBox="0 0 24 24" fill="none" stroke="#0f6674"
      stroke-width="2" stroke-linecap="round" stroke-linejoin="round"><path d="${path}"/></svg>`;

  let scope = {};

  // The scope has the modules JupyterLab shares, by name and version; a page of Voila shares fewer.
  async function shared(name) {
    const versions = Object.values(scope[name] ?? {});
    const entry = versions.find((version) => version.loaded) ?? versions[0];
    return entry ? (await entry.get())() : null;
  }

  async function plugin() {
    const launcher = await shared("@jupyterlab/launcher");
    const apputils = await shared("@jupyterlab/apputils");
    const coreutils = await shared("@jupyterlab/coreutils");
    const components = await shared("@jupyterlab/ui-components");
    const tokens = launcher && apputils ? [launcher.ILauncher, apputils.ICommandPalette] : [];
    return {
      id: "wellprod:launcher",
      description: "Opens the dashboards of wellprod.",
      autoStart: true,
      optional: tokens,
      activate: (app, cards, palette) => {
        if (!tokens.length) return;
        PAGES.forEach(([page, label, caption, path], rank) => {
          const command = `wellprod:${page}`;
          app.commands.addCommand(command, {
            label,
            caption,
            icon: new components.LabIcon({ name: command, svgstr: icon(path) }),
            execute: () => {
              const url = coreutils.URLExt.join(coreutils.PageConfig.getBaseUrl(), "wellprod", page);
              window.open(url, "_blank", "noopener");
            },
          });
          cards?.add({ command, category: "wellprod", rank });
          palette?.addItem({ command, category: "wellprod" });
        });
      },
    };
  }

  (window._JUPYTERLAB ??= {}).wellprod = {
    init: (given) => {
      scope = given;
    },
    get: async () => {
      const ours = await plugin();
      return () => ({ __esModule: true, default: ours });
    },
  };
})();
