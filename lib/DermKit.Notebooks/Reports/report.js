(() => {
  'use strict';
  const root = document.documentElement, element = id => document.getElementById(id);
  const theme = element('theme-switch'), code = element('code-switch');
  const system = matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => root.dataset.theme ? root.dataset.theme === 'dark' : system.matches;
  const label = () => {
    theme.textContent = isDark() ? 'Light' : 'Dark';
    theme.setAttribute('aria-label', `Use the ${theme.textContent.toLowerCase()} theme`);
  };
  label();
  system.addEventListener('change', label);
  theme.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    try { localStorage.setItem('kit-theme', root.dataset.theme); } catch { /* The choice is not kept. */ }
    label();
    document.dispatchEvent(new Event('kit-theme'));
  });
  code?.addEventListener('click', () => {
    const open = code.getAttribute('aria-pressed') !== 'true';
    code.setAttribute('aria-pressed', open);
    code.textContent = open ? 'Hide all code' : 'Show all code';
    for (const d of document.querySelectorAll('details.code'))
      d.open = open || d.parentElement.classList.contains('broke');
  });
  // Paper cannot be unfolded.
  const folded = document.querySelectorAll('details.folded');
  addEventListener('beforeprint', () => folded.forEach(d => { d.dataset.was = d.open; d.open = true; }));
  addEventListener('afterprint', () => folded.forEach(d => { d.open = d.dataset.was === 'true'; }));
  const contents = document.querySelector('details.contents');
  if (!contents) return;
  const phone = matchMedia('screen and (max-width: 62rem)');
  const fit = () => { contents.open = !phone.matches; };
  fit();
  phone.addEventListener('change', fit);
  contents.addEventListener('click', e => { if (phone.matches && e.target.closest('a')) contents.open = false; });
  const links = [...contents.querySelectorAll('a')];
  const heads = links.map(a => element(decodeURIComponent(a.hash.slice(1))));
  const mark = () => {
    let at = Math.max(0, heads.findLastIndex(h => h && h.getBoundingClientRect().top < 120));
    if (innerHeight + scrollY >= document.body.scrollHeight - 4) at = heads.length - 1;
    links.forEach((a, i) => i === at ? a.setAttribute('aria-current', 'true') : a.removeAttribute('aria-current'));
  };
  addEventListener('scroll', mark, { passive: true });
  mark();
})();
