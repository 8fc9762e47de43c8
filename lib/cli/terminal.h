/*
 * terminal - how wide what a tool prints may be
 */
#ifndef LIB_CLI_TERMINAL_H
#define LIB_CLI_TERMINAL_H

/* Columns of stdout: $COLUMNS, else what the terminal says, else 80. 0 when it
 * is no terminal: nothing is cut then. */
unsigned terminal_width(void);

#endif
