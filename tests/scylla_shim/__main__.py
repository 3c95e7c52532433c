"""python3 -m scylla_shim --listen 127.0.0.9:9042 --backend 127.0.0.1:9042"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal

from .server import Manners, Shim


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is not ADDRESS:PORT")
    return host, int(port)


def _pair(text: str) -> tuple[str, str]:
    behind, _, shown = text.partition("=")
    if not shown:
        raise argparse.ArgumentTypeError(f"'{text}' is not BEHIND=SHOWN")
    return behind, shown


async def _run(arguments: argparse.Namespace) -> None:
    host, port = arguments.listen
    shim = Shim(Manners(arguments.backend, arguments.shards, arguments.shard_aware_port, arguments.page_rows,
                        arguments.empty_pages, not arguments.in_order, arguments.seed,
                        {arguments.backend[0]: host, **dict(arguments.peer)}))
    await shim.listen(host, port)
    if arguments.shard_aware_port is not None:
        await shim.listen(host, arguments.shard_aware_port)
    print(f"listening on {host}:{port}", flush=True)
    ended = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, ended.set)
    await ended.wait()
    await shim.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="scylla_shim", description="A Cassandra node with the manners of ScyllaDB 5.2.")
    parser.add_argument("--listen", type=_address, required=True, metavar="ADDRESS:PORT")
    parser.add_argument("--backend", type=_address, required=True, metavar="ADDRESS:PORT", help="the Cassandra node")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--shard-aware-port", type=int, help="a port where the source port chooses the shard")
    parser.add_argument("--page-rows", type=int, help="pages end after so many rows, whatever was asked for")
    parser.add_argument("--empty-pages", type=int, default=0, metavar="N", help="every N pages one has no rows, but more")
    parser.add_argument("--in-order", action="store_true", help="do not shuffle answers that are ready together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--peer", type=_pair, action="append", default=[], metavar="BEHIND=SHOWN",
                        help="the address to show for another node of the cluster")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
