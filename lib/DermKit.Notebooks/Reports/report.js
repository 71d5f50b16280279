(function () {
  'use strict';
  var root = document.documentElement, theme = document.getElementById('theme-switch'), code = document.getElementById('code-switch');
  function dark() { return root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches; }
  function label() { theme.textContent = dark() ? 'Light' : 'Dark'; theme.setAttribute('aria-label', dark() ? 'Use the light theme' : 'Use the dark theme'); }
  label();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', label);
  theme.addEventListener('click', function () {
    root.dataset.theme = dark() ? 'light' : 'dark';
    try { localStorage.setItem('kit-theme', root.dataset.theme); } catch (unavailable) { root.dataset.unsaved = ''; }
    label();
    document.dispatchEvent(new Event('kit-theme'));
  });
  if (code) code.addEventListener('click', function () {
    var open = code.getAttribute('aria-pressed') !== 'true';
    code.setAttribute('aria-pressed', open);
    code.textContent = open ? 'Hide all code' : 'Show all code';
    document.querySelectorAll('details.code').forEach(function (d) { d.open = open || d.parentElement.classList.contains('broke'); });
  });
  // Paper cannot be unfolded.
  var folded = document.querySelectorAll('details.folded');
  addEventListener('beforeprint', function () { folded.forEach(function (d) { d.dataset.was = d.open; d.open = true; }); });
  addEventListener('afterprint', function () { folded.forEach(function (d) { d.open = d.dataset.was === 'true'; }); });
  var contents = document.querySelector('details.contents');
  if (!contents) return;
  var phone = matchMedia('screen and (max-width: 62rem)');
  function fit() { contents.open = !phone.matches; }
  fit();
  phone.addEventListener('change', fit);
  contents.addEventListener('click', function (e) { if (phone.matches && e.target.closest('a')) contents.open = false; });
  var links = Array.from(contents.querySelectorAll('a')), heads = links.map(function (a) { return document.getElementById(decodeURIComponent(a.hash.slice(1))); });
  function mark() {
    var at = 0;
    heads.forEach(function (h, i) { if (h && h.getBoundingClientRect().top < 120) at = i; });
    if (innerHeight + scrollY >= document.body.scrollHeight - 4) at = heads.length - 1;
    links.forEach(function (a, i) { if (i === at) a.setAttribute('aria-current', 'true'); else a.removeAttribute('aria-current'); });
  }
  addEventListener('scroll', mark, { passive: true });
  mark();
})();
