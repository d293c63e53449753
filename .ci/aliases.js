// Checks that rustdoc's search finds each name of aliases.txt. It runs the code of the page's search
// box, which rustdoc writes beside the documentation: the format of the index is not stable.
//
// Run after `cargo doc --no-deps --all-features`: node .ci/aliases.js target/doc
'use strict';

const fs = require('fs');
const path = require('path');

const CRATE = 'evloop';
const folder = path.resolve(process.argv[2] ?? 'target/doc');

// Loads one of rustdoc's scripts. Its name is the prefix and a hash.
function script(prefix) {
    const statics = path.join(folder, 'static.files');
    const name = fs.readdirSync(statics).find(name => name.startsWith(prefix));
    if (!name) throw new Error(`no ${prefix}*.js in ${statics}: rustdoc's search has changed`);
    return require(path.join(statics, name));
}

// Runs a file of the index. It calls the callbacks that `loadRoot` has made global.
function load(...parts) {
    (0, eval)(fs.readFileSync(`${path.join(folder, 'search.index', ...parts)}.js`, 'utf8'));
}

async function openSearch() {
    // The search calls this function of the page's main script.
    globalThis.nonnull = (value, message) => {
        if (value === null) throw new Error(message ?? 'unexpected null');
        return value;
    };
    const { Stringdex, RoaringBitmap } = script('stringdex-');
    return script('search-').initSearch(Stringdex, RoaringBitmap, {
        loadRoot: callbacks => {
            Object.assign(globalThis, callbacks);
            load('root');
        },
        loadTreeByHash: hash => load(hash),
        loadDataByNameAndHash: (name, hash) => load(name, hash),
    });
}

// Returns the paths of the items that have `name` as their name or alias, as the search shows them.
async function find({ docSearch, DocSearch }, name) {
    const query = DocSearch.parseQuery(name);
    const results = await docSearch.execQuery(query, CRATE, CRATE);
    // The search ignores case and underscores.
    const plain = text => text.toLowerCase().replaceAll('_', '');
    const found = [];
    for await (const { item: { name: own }, alias, displayPath } of results.others) {
        if (plain(alias ?? own) === plain(name)) {
            found.push((displayPath.replace(/<[^>]*>/g, '') + own).replace(`${CRATE}::`, ''));
        }
    }
    return found;
}

async function main() {
    const search = await openSearch();
    const lines = fs.readFileSync(path.join(__dirname, 'aliases.txt'), 'utf8').split('\n');
    const rows = lines.filter(line => /^\w/.test(line)).map(line => line.split(/\s+/));
    let missing = 0;
    for (const [name, item] of rows) {
        const found = await find(search, name);
        if (!found.includes(item)) {
            missing += 1;
            console.error(`${name} does not find ${item}, but: ${found.join(', ') || 'nothing'}`);
        }
    }
    // The check itself: a search that finds everything would pass.
    const found = await find(search, 'no_such_name');
    if (found.length > 0) throw new Error(`no_such_name finds ${found}`);
    console.log(`${rows.length - missing} of ${rows.length} names are found`);
    process.exitCode = missing > 0 ? 1 : 0;
}

main();
