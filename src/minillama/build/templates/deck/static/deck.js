(() => {
  const W = 1280, H = 720, FLOOR = 0.8;                 // a slide is never shrunk below FLOOR: then it must be split
  const ROOM = 694;                                     // height above the page number
  const tex = (el, output) => renderMathInElement(el, {throwOnError: false, output, ignoredClasses: output === 'mathml' ? [] : ['notes'],
    delimiters: [{left: '$$', right: '$$', display: true}, {left: '\\[', right: '\\]', display: true},
      ...['align', 'align*', 'equation', 'equation*', 'gather', 'aligned'].map(e => ({left: `\\begin{${e}}`, right: `\\end{${e}}`, display: true})),
      {left: '\\(', right: '\\)', display: false}, {left: '$', right: '$', display: false}]});
  document.querySelectorAll('aside.notes').forEach(n => tex(n, 'mathml'));      // the speaker window has no KaTeX css
  tex(document.querySelector('.slides'), 'htmlAndMathml');

  // code stepping: cell metadata {"hl": "1-4|6|8-9"} gives one fragment per step
  for (const cell of document.querySelectorAll('[data-hl]')) {
    const pre = cell.querySelector('.jp-InputArea-editor pre');
    if (!pre) continue;
    pre.innerHTML = pre.innerHTML.replace(/\n$/, '').split('\n').map(t => `<span class="ln">${t}</span>`).join('');
    for (const step of cell.dataset.hl.split('|')) {
      const s = document.createElement('span');
      s.className = 'fragment'; s.dataset.hlStep = step; cell.append(s);
    }
  }
  const paint = () => {
    for (const cell of document.querySelectorAll('[data-hl]')) {
      const cur = [...cell.querySelectorAll('[data-hl-step].visible')].pop(), lines = [...cell.querySelectorAll('.ln')];
      cell.toggleAttribute('data-hl-on', !!cur);
      lines.forEach(l => l.classList.remove('on'));
      for (const r of cur ? cur.dataset.hlStep.split(',') : []) {
        const [a, b = a] = r.split('-').map(Number);
        for (let i = a; i <= b; i++) if (lines[i - 1]) lines[i - 1].classList.add('on');
      }
    }
  };

  // shrink wide tables and formulas to the width, then the slide to the height
  const fit = sec => {
    const kids = [...sec.children].filter(k => !k.matches('aside.notes'));
    kids.forEach(k => { k.style.zoom = 1; });
    for (const t of sec.querySelectorAll('table, .katex-display > .katex')) {
      t.style.zoom = 1;
      const need = t.scrollWidth || t.getBoundingClientRect().width, have = t.parentElement.clientWidth;
      if (have && need > have) t.style.zoom = Math.max(FLOOR, have / need);
    }
    let z = 1;
    for (let i = 0; i < 5 && sec.scrollHeight > ROOM && z > FLOOR; i++) {
      z = Math.max(FLOOR, z * Math.max(.8, ROOM / sec.scrollHeight));
      kids.forEach(k => { k.style.zoom = z; });
    }
    // words alone may be larger; listings keep their 79 columns
    if (z === 1 && !sec.querySelector('pre, img, table'))
      for (const larger of sec.querySelector('.algorithm') ? [1.25, 1.12] : [1.4, 1.25, 1.12]) {
        kids.forEach(k => { k.style.zoom = larger; });
        z = larger;
        if (sec.scrollHeight <= .9 * ROOM && sec.scrollWidth <= W) break;
        kids.forEach(k => { k.style.zoom = 1; });
        z = 1;
      }
    sec.dataset.fit = z.toFixed(2);
  };
  const fitAll = () => {
    for (const s of deck.getSlides()) {
      const hold = [s, s.parentElement].filter(e => e.tagName === 'SECTION'), old = hold.map(e => e.style.cssText);
      hold.forEach(e => { e.style.display = 'block'; });
      fit(s);
      hold.forEach((e, i) => { e.style.cssText = old[i]; });
    }
    deck.layout();
  };

  // in the talk the page number follows the name of the section
  const numbered = slide => {
    const mark = slide && slide.querySelector('[data-section]'), label = document.createElement('span');
    label.textContent = mark ? `${mark.dataset.section} \u00b7 ` : '';
    return [label.innerHTML + (deck.getSlidePastCount(slide) + (slide ? 1 : 0)), '/', deck.getTotalSlides()];
  };
  const deck = window.deck = new Reveal(document.querySelector('.reveal'), {width: W, height: H, margin: 0.04, minScale: .1, maxScale: 4,
    center: false, hash: true, slideNumber: numbered, transition: 'none', pdfSeparateFragments: false, plugins: [RevealNotes]});
  for (const e of ['fragmentshown', 'fragmenthidden', 'slidechanged']) deck.on(e, paint);
  deck.on('pdf-ready', fitAll);
  deck.addKeyBinding({keyCode: 68, key: 'D', description: 'Dark or light'}, () => document.body.classList.toggle('dark'));
  deck.addKeyBinding({keyCode: 77, key: 'M', description: 'Contents'}, () => {
    const t = document.getElementById('toc');
    t.hidden = !t.hidden;
    if (!t.hidden) t.querySelector('a').focus();
  });
  deck.initialize().then(async () => {
    await document.fonts.ready;
    fitAll();
    window.deckFitted = true;
    const t = document.createElement('nav'), ol = document.createElement('ol');
    t.id = 'toc'; t.hidden = true; t.setAttribute('aria-label', 'Contents');
    for (const s of deck.getSlides()) {
      const h = s.querySelector('h1, h2'), i = deck.getIndices(s);
      if (!h) continue;
      const li = document.createElement('li'), a = document.createElement('a');
      a.href = `#/${i.h}${i.v ? '/' + i.v : ''}`; a.textContent = h.textContent; li.append(a); ol.append(li);
    }
    t.append(ol);
    t.onclick = e => { if (e.target.tagName === 'A') t.hidden = true; };
    document.body.append(t);
  });
})();
