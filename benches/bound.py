#!/usr/bin/env python3
"""How many operations a second PostgreSQL does when it is sent nothing but their statements.

Records what a server sends PostgreSQL while it creates carts, adds lines to them, or places orders; puts the database back
to before, and has some psql send the same statements with the same values, prepared, in as many transactions. The server's
role must be a superuser.

usage: bound.py SERVER-BINARY POSTGRES-URL POSTGRES-LOG-FILE createCart|addLine|placeOrder [TIMES [CONNECTIONS]]"""
import http.client, json, os, re, signal, socket, subprocess, sys, tempfile, threading, time, uuid
from concurrent.futures import ThreadPoolExecutor

binary, url, log, job = sys.argv[1:5]
times = int(sys.argv[5]) if len(sys.argv) > 5 else 1600
lanes = int(sys.argv[6]) if len(sys.argv) > 6 else 4
# What a transaction of the job contains, and what it adds a row to.
mark, table = {'createCart': ('INTO carts', 'carts'), 'addLine': ('INTO cart_lines', 'cart_lines'), 'placeOrder': ('INTO orders', 'orders')}[job]
folder = tempfile.mkdtemp()
with socket.socket() as free:
    free.bind(('127.0.0.1', 0))
    port = free.getsockname()[1]
base = url.rsplit('/', 1)[0]

def sql(text, db='postgres'):
    return subprocess.run(['psql', f'{base}/{db}', '-qAt', '-v', 'ON_ERROR_STOP=1', '-c', text], check=True, capture_output=True, text=True).stdout

def server(command):
    env = dict(os.environ, DATABASE_URL=f'{base}/replay', MERCER_BIND=f'127.0.0.1:{port}')
    return subprocess.Popen([binary, *command], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

def stop(process):
    process.send_signal(signal.SIGTERM); process.wait()

local = threading.local()
def call(method, path, body, key, token=''):
    if not hasattr(local, 'conn'):
        local.conn = http.client.HTTPConnection('127.0.0.1', port)
    headers = {'Authorization': f'Bearer {key}', 'X-Cart-Token': token, 'Idempotency-Key': str(uuid.uuid4()), 'Content-Type': 'application/json'}
    local.conn.request(method, '/v1' + path, json.dumps(body) if body is not None else None, headers)
    answer = local.conn.getresponse(); text = answer.read()
    assert answer.status < 300, (path, answer.status, text[:400])
    return json.loads(text)

for db in ('replay', 'replay_base'):
    sql(f'DROP DATABASE IF EXISTS {db} WITH (FORCE)')
sql('CREATE DATABASE replay')
demo = server(['demo', '--products', '1000'])
keys = {}
for line in demo.stdout:
    for name, value in re.findall(r'export (MERCER_\w+)=(\S+)', line):
        keys[name] = value.strip('"\'')
    if 'MERCER_PK' in keys and 'MERCER_SK' in keys: break
pk = keys['MERCER_PK']
time.sleep(1)
address = {"name": "A. Shopper", "line1": "Hauptstrasse 1", "postcode": "10115", "city": "Berlin", "country": "DE"}
variants, after = [], ''
while len(variants) < 1000:
    page = call('GET', f'/products?limit=100&inStock=true{after}', None, pk)
    variants += [v['id'] for p in page['items'] for v in p['variants'] if v['price']]
    after = '&after=' + page['page']['nextCursor']
def line(k): return {'variantId': variants[k % len(variants)], 'quantity': 1}
def create(i, lines, **more):
    new = call('POST', '/carts', {'lines': lines, **more}, pk)
    return new['cart']['id'], new['token'], new['cart'].get('shippingOptions')
def prepare(i):
    if job == 'createCart': return None
    if job == 'addLine': return create(i, [line(2 * i)])
    cart, token, options = create(i, [line(2 * i), line(2 * i + 1)], email=f's{i}@example.com', shippingAddress=address)
    call('PATCH', f'/carts/{cart}', {'shippingMethodId': options[0]['methodId']}, pk, token)
    call('POST', f'/carts/{cart}/checkout', {'payment': {'provider': 'test', 'token': 'approve'}}, pk, token)
    return cart, token
def do(i):
    if job == 'createCart': create(i, [line(i)])
    elif job == 'addLine': call('POST', f'/carts/{prepared[i][0]}/lines', {'lines': [line(2 * i + 1)]}, pk, prepared[i][1])
    else: call('POST', f'/carts/{prepared[i][0]}/place-order', {}, pk, prepared[i][1])
with ThreadPoolExecutor(lanes) as pool:
    prepared = list(pool.map(prepare, range(times)))
stop(demo)
sql('ALTER DATABASE replay SET log_statement = \'all\'')
sql('VACUUM ANALYZE', 'replay')
sql('CREATE DATABASE replay_base TEMPLATE replay')
before = int(sql(f'SELECT count(*) FROM {table}', 'replay'))
offset = os.path.getsize(log)
sql("ALTER SYSTEM SET log_line_prefix = '%c|'"); sql('SELECT pg_reload_conf()'); time.sleep(1)
serve = server(['demo', '--keep'])
for _ in range(100):
    try: call('GET', '/products?limit=1', None, pk); break
    except OSError: time.sleep(0.1); local.__dict__.clear()
with ThreadPoolExecutor(lanes) as pool:
    list(pool.map(do, range(times)))
stop(serve)
sql('ALTER SYSTEM RESET log_line_prefix'); sql('SELECT pg_reload_conf()')

entries, sessions = [], {}
with open(log) as f:
    f.seek(offset)
    for line in f:
        m = re.match(r'([0-9a-f]+\.[0-9a-f]+)\|(LOG|DETAIL|ERROR|STATEMENT|WARNING):  (.*)', line.rstrip('\n'))
        if m: entries.append([m[1], m[2], m[3]])
        elif entries: entries[-1][2] += '\n' + line.rstrip('\n')
for session, level, text in entries:
    now = sessions.setdefault(session, [])
    if level == 'LOG' and text.startswith('statement: '): now.append([text[11:], ''])
    elif level == 'LOG' and (m := re.match(r'execute [^:]+: (.*)', text, re.S)): now.append([m[1], ''])
    elif level == 'DETAIL' and text.lower().startswith('parameters: '): now[-1][1] = text[12:]
transactions, settings = [], []
for steps in sessions.values():
    current = None
    for statement, values in steps:
        word = statement.strip().upper()
        if word.startswith('BEGIN'): current = []
        elif word.startswith('COMMIT'):
            if current and any(f'{mark} (' in s for s, _ in current): transactions.append(current)
            current = None
        elif current is not None: current.append((statement, values))
        elif word.startswith('SET ') and statement not in settings: settings.append(statement)
print(len(transactions), 'transactions,', sum(map(len, transactions)) / len(transactions), 'statements each')
names = {}
for t in transactions:
    for statement, _ in t: names.setdefault(statement, f'p{len(names)}')
def values_of(text):
    return [v for v in re.findall(r"\$\d+ = ('(?:[^']|'')*'|NULL)", text)]
for lane in range(lanes):
    with open(f'{folder}/lane{lane}.sql', 'w') as f:
        for s in settings:
            if 'synchronous_commit' not in s: f.write(s.rstrip(';') + ';\n')
        f.write("SET synchronous_commit = " + 'on' + ";\n")
        for statement, name in names.items(): f.write(f'PREPARE {name} AS {statement.rstrip(";")};\n')
        for t in transactions[lane::lanes]:
            f.write('BEGIN;\n')
            for statement, values in t:
                v = values_of(values)
                f.write(f'EXECUTE {names[statement]}' + (f'({", ".join(v)})' if v else '') + ';\n')
            f.write('COMMIT;\n')
for commit in ('on', 'off', 'on', 'off'):
    sql('DROP DATABASE replay'); sql('CREATE DATABASE replay TEMPLATE replay_base'); sql('CHECKPOINT')
    for lane in range(lanes):
        p = f'{folder}/lane{lane}.sql'; text = open(p).read()
        open(p, 'w').write(re.sub(r'SET synchronous_commit = \w+', f'SET synchronous_commit = {commit}', text, 1))
    began = time.monotonic()
    running = [subprocess.Popen(['psql', f'{base}/replay', '-qAt', '-o', '/dev/null', '-f', f'{folder}/lane{l}.sql'], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for l in range(lanes)]
    errors = [p.communicate()[1] for p in running]
    took = time.monotonic() - began
    done = int(sql(f'SELECT count(*) FROM {table}', 'replay')) - before
    print(f'synchronous_commit={commit}: {done} in {took:.2f} s, {done / took:.0f}/s', [e[:300] for e in errors if 'ERROR' in e][:2])
for db in ('replay', 'replay_base'):
    sql(f'DROP DATABASE {db}')
