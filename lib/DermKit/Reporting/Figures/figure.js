(function () {
  'use strict';
  function shade(color, alpha) {
    var parts = (color.match(/[\d.]+/g) || [0, 0, 0]).map(Number);
    if (/^color\(srgb/.test(color)) parts = parts.slice(0, 3).map(function (v) { return Math.round(v * 255); });
    return 'rgba(' + parts[0] + ',' + parts[1] + ',' + parts[2] + ',' + alpha + ')';
  }
  // Ink comes from the page, so one specification serves every theme.
  function dress(spec, ink, width) {
    var layout = JSON.parse(JSON.stringify(spec.layout)), narrow = width < 480;
    layout.width = width;
    layout.font = Object.assign({}, layout.font, { color: ink });
    if (narrow) {
      layout.font.size = 12;
      layout.margin = Object.assign({}, layout.margin, { l: 8, r: 8 });
    }
    var rgb = ink.match(/[\d.]+/g).map(Number);
    spec.data.forEach(function (trace) {
      if (trace.type === 'bar') ['error_x', 'error_y'].forEach(function (key) { if (trace[key]) trace[key].color = shade(ink, .85); });
    });
    if (rgb[0] + rgb[1] + rgb[2] > 384) spec.data.forEach(function (trace) { if (trace.type === 'heatmap') trace.colorscale = [[0, 'rgba(80,140,200,.12)'], [1, 'rgba(44,112,182,1)']]; });
    if (layout.meta && layout.meta.names) {
      var names = layout.meta.names, longest = Math.max.apply(null, names.map(function (name) { return Math.max.apply(null, name.split(' ').map(function (word) { return word.length; })); }));
      if ((width - 80) / names.length < longest * 7) Object.assign(layout.xaxis, { tickvals: layout.meta.ticks, ticktext: names, tickangle: -42 });
      else layout.xaxis.tickangle = 0;
    }
    Object.keys(layout).forEach(function (key) {
      if (!/^[xy]axis\d*$/.test(key)) return;
      Object.assign(layout[key], { gridcolor: shade(ink, .13), linecolor: shade(ink, .5), tickcolor: shade(ink, .5), zerolinecolor: shade(ink, .4) });
    });
    (layout.shapes || []).forEach(function (shape) { shape.line = Object.assign({}, shape.line, { color: shade(ink, .65) }); });
    (layout.annotations || []).forEach(function (note) { if (narrow && note.name === 'cell') note.font = Object.assign({}, note.font, { size: Math.max(9, (note.font.size || 13) - 2) }); });
    return layout;
  }
  function draw(figure, paper) {
    var plot = figure.querySelector('.kit-plot'), source = figure.querySelector('script[type="application/json"]');
    if (!plot || !source) return;
    var spec = JSON.parse(source.textContent);
    plot.removeAttribute('data-waiting');
    figure.setAttribute('data-drawn', '');
    // Paper: black ink and the width between A4 margins, whatever the screen is.
    var layout = paper ? dress(spec, 'rgb(17,17,17)', 665) : dress(spec, shade(getComputedStyle(figure).color, 1), plot.clientWidth || 700);
    window.Plotly.react(plot, spec.data, layout, { displayModeBar: false, responsive: false, scrollZoom: false });
  }
  function each(action) { document.querySelectorAll('figure[data-figure]').forEach(action); }
  function drawAll() { each(function (figure) { draw(figure, false); }); }
  var tries = 0;
  function start() {
    if (window.Plotly) {
      each(function (figure) { if (!figure.hasAttribute('data-drawn')) draw(figure); });
      if (window.kitFiguresReady) return;
      window.kitFiguresReady = true;
      var timer, width = window.innerWidth;
      window.addEventListener('resize', function () {
        if (window.innerWidth === width) return;
        width = window.innerWidth;
        clearTimeout(timer);
        timer = setTimeout(drawAll, 150);
      });
      document.addEventListener('kit-theme', drawAll);
      window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
      window.addEventListener('beforeprint', function () { each(function (figure) { draw(figure, true); }); });
      window.addEventListener('afterprint', drawAll);
      return;
    }
    each(function (figure) {
      var plot = figure.querySelector('.kit-plot');
      if (plot && tries > 20) plot.setAttribute('data-waiting', tries < 100 ? 'Waiting for the first figure of this notebook …' : 'Not drawn: run the cell of the first figure again. The data table below is complete.');
    });
    if (tries++ < 600) setTimeout(start, 100);
  }
  start();
})();
