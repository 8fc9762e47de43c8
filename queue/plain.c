#include <errno.h>
#include <unistd.h>

#include "queue/codec.h"

uint64_t
message_end(const struct message *m)
{
	return MESSAGE_HEAD + message_clear(m);
}

static ssize_t
read_clear(int fd, uint64_t base, const struct message *m, uint64_t offset,
    void *data, size_t len)
{
	ssize_t n;

	n = pread(fd, data, len, (off_t)(base + message_head(m) + offset));
	if (n >= 0 && (size_t)n < len) {
		errno = EBADMSG;
		return -1;
	}
	return n;
}

ssize_t
message_read_body(int fd, uint64_t base, const struct message *m,
    uint64_t offset, void *data, size_t len)
{
	if (offset >= m->size)
		return 0;
	if (len > m->size - offset)
		len = (size_t)(m->size - offset);
	return read_clear(fd, base, m, m->record + 1 + offset, data, len);
}

ssize_t
message_read_record(
    int fd, uint64_t base, const struct message *m, void *data, size_t len)
{
	if (len > m->record)
		len = (size_t)m->record;
	return read_clear(fd, base, m, 0, data, len);
}
