#include "lib/cli/terminal.h"

#include <sys/ioctl.h>

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/text.h"

#define WIDTH 80 /* of a terminal that does not tell */

unsigned
terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize ws;
	uint64_t n;

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (columns != NULL && text_number(columns, 1000, &n) && n > 0)
		return (unsigned)n;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0)
		return ws.ws_col;
	return WIDTH;
}
