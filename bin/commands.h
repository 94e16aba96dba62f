/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands of `weft`. Each takes its own name as argv[0] and returns the exit status: 0, 1
 * for a failure, 2 for wrong usage. */
#ifndef WEFT_BIN_COMMANDS_H
#define WEFT_BIN_COMMANDS_H

int weft_cmd_dev(int argc, char **argv);
int weft_cmd_serve(int argc, char **argv);
int weft_cmd_config(int argc, char **argv);
int weft_cmd_call(int argc, char **argv);
int weft_cmd_describe(int argc, char **argv);
int weft_cmd_doc(int argc, char **argv);
int weft_cmd_echo(int argc, char **argv);
int weft_cmd_bench(int argc, char **argv);
int weft_cmd_ot(int argc, char **argv);

#endif
