/*
 * room - whether files may still be made
 *
 * A commit reserves the blocks and inodes that settling it will need, above
 * the reserve that stays free for deliveries, bounces and removals.
 */
#include <sys/statvfs.h>

#include "lib/base/mono.h"
#include "queue/inside.h"

#define CHECK_MS 500

static void
look(struct queue *q)
{
	/* While all is refused no turn comes that would set the clock. */
	uint64_t now = mono_ms();
	struct statvfs v;

	if (q->room_checked != 0 && now < q->room_checked + CHECK_MS)
		return;
	q->room_checked = now;
	if (fstatvfs(q->layout.root, &v) == -1)
		return;
	q->block_size = v.f_frsize > 0 ? v.f_frsize : 4096;
	q->blocks_all = v.f_blocks;
	q->blocks_free = v.f_bavail;
	q->inodes_all = v.f_files;
	/* Some file systems count none: there is nothing to run out of. */
	q->inodes_free = v.f_files == 0 ? UINT64_MAX : v.f_favail;
}

bool
room_for(struct queue *q, uint64_t octets, uint64_t files)
{
	uint64_t blocks, least_blocks, least_inodes;

	look(q);
	if (q->reserve_percent > 100)
		return true;
	blocks = octets / q->block_size + files + 1 + q->reserved_blocks;
	least_blocks = q->blocks_all / 100 * q->reserve_percent;
	least_inodes = q->inodes_all / 100 * q->reserve_percent;
	q->full = q->blocks_free < least_blocks + blocks ||
	    q->inodes_free < least_inodes + files + q->reserved_inodes;
	return !q->full;
}

void
room_reserve(struct queue *q, struct entry *e)
{
	e->reserved = e->stored / (q->block_size > 0 ? q->block_size : 4096) +
	    1 + e->leaves;
	q->reserved_blocks += e->reserved;
	q->reserved_inodes += 1 + e->leaves;
}

void
room_release(struct queue *q, struct entry *e)
{
	uint64_t inodes = 1 + e->leaves;

	if (e->reserved == 0)
		return;
	/* Until the file system is asked again. */
	q->blocks_free -=
	    e->reserved < q->blocks_free ? e->reserved : q->blocks_free;
	if (q->inodes_all != 0)
		q->inodes_free -=
		    inodes < q->inodes_free ? inodes : q->inodes_free;
	q->reserved_blocks -= e->reserved;
	q->reserved_inodes -= inodes;
	e->reserved = 0;
}
