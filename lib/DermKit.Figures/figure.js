(function () {
  'use strict';
  const shade = (color, alpha) => {
    let parts = (color.match(/[\d.]+/g) || [0, 0, 0]).map(Number);
    if (/^color\(srgb/.test(color)) parts = parts.map(v => Math.round(v * 255));
    return `rgba(${parts[0]},${parts[1]},${parts[2]},${alpha})`;
  };
  // Ink comes from the page, so that one specification serves every theme.
  const dress = (spec, ink, width) => {
    const layout = structuredClone(spec.layout), isNarrow = width < 480;
    layout.width = width;
    layout.font = { ...layout.font, color: ink };
    if (isNarrow) {
      layout.font.size = 12;
      layout.margin = { ...layout.margin, l: 8, r: 8 };
    }
    const [red, green, blue] = ink.match(/[\d.]+/g).map(Number);
    const isDark = red + green + blue > 384;
    for (const trace of spec.data) {
      for (const error of [trace.error_x, trace.error_y])
        if (trace.type === 'bar' && error) error.color = shade(ink, .85);
      if (trace.type === 'heatmap' && isDark)
        trace.colorscale = [[0, 'rgba(80,140,200,.12)'], [1, 'rgba(44,112,182,1)']];
    }
    if (layout.meta && layout.meta.names) {
      const { names, ticks } = layout.meta;
      const longest = Math.max(...names.flatMap(name => name.split(' ')).map(word => word.length));
      const isTight = (width - 80) / names.length < longest * 7;
      Object.assign(layout.xaxis, isTight ? { tickvals: ticks, ticktext: names, tickangle: -42 } : { tickangle: 0 });
    }
    const lines = {
      gridcolor: shade(ink, .13), linecolor: shade(ink, .5), tickcolor: shade(ink, .5), zerolinecolor: shade(ink, .4),
    };
    for (const key of Object.keys(layout)) if (/^[xy]axis\d*$/.test(key)) Object.assign(layout[key], lines);
    for (const shape of layout.shapes || []) shape.line = { ...shape.line, color: shade(ink, .65) };
    for (const note of layout.annotations || [])
      if (isNarrow && note.name === 'cell')
        note.font = { ...note.font, size: Math.max(9, ((note.font || {}).size || 13) - 2) };
    return layout;
  };
  const draw = (figure, isPaper) => {
    const plot = figure.querySelector('.kit-plot'), source = figure.querySelector('script[type="application/json"]');
    if (!plot || !source) return;
    const spec = JSON.parse(source.textContent);
    plot.removeAttribute('data-waiting');
    figure.setAttribute('data-drawn', '');
    // Paper: black ink and the width between A4 margins, on any screen.
    const ink = isPaper ? 'rgb(17,17,17)' : shade(getComputedStyle(figure).color, 1);
    const layout = dress(spec, ink, isPaper ? 665 : plot.clientWidth || 700);
    window.Plotly.react(plot, spec.data, layout, { displayModeBar: false, responsive: false, scrollZoom: false });
  };
  const each = action => document.querySelectorAll('figure[data-figure]').forEach(action);
  const drawAll = () => each(figure => draw(figure, false));
  let tries = 0;
  const wait = figure => {
    const plot = figure.querySelector('.kit-plot');
    if (plot && tries > 20) plot.setAttribute('data-waiting', tries < 100
      ? 'Waiting for the first figure of this notebook …'
      : 'Not drawn: run the cell of the first figure again. The data table below is complete.');
  };
  const start = () => {
    if (!window.Plotly) {
      each(wait);
      if (tries++ < 600) setTimeout(start, 100);
      return;
    }
    each(figure => { if (!figure.hasAttribute('data-drawn')) draw(figure, false); });
    if (window.kitFiguresReady) return;
    window.kitFiguresReady = true;
    let timer, width = window.innerWidth;
    window.addEventListener('resize', () => {
      if (window.innerWidth === width) return;
      width = window.innerWidth;
      clearTimeout(timer);
      timer = setTimeout(drawAll, 150);
    });
    document.addEventListener('kit-theme', drawAll);
    window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
    window.addEventListener('beforeprint', () => each(figure => draw(figure, true)));
    window.addEventListener('afterprint', drawAll);
  };
  start();
})();
