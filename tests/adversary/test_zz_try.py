import asyncio, time, sys, os
from dev.bench.risk.platform import *
from dev.bench.risk.honest import *
from dev.bench.risk.plays import *
async def test_x(fresh_database, fresh_database_urls):
    t=time.process_time(); w=time.time()
    rows = await Rows.open(fresh_database_urls.owner)
    world = Platform(fresh_database, rows, days=40, seed=1)
    Population(world, int(os.environ.get("HON","100")), 30)
    with world.clock():
        await world.until(START+timedelta(days=10))
        print("warm", time.process_time()-t, time.time()-w, len(world.orgs))
        for name in PLAYS:
            t=time.process_time(); w=time.time()
            row = await play(world, name)
            print(row, round(time.process_time()-t,1), round(time.time()-w,1), world.now-START)
    from collections import Counter
    print(Counter((s[3], s[2].value) for o in world.orgs.values() if o.is_honest for s in o.stops))
    await rows.close()
