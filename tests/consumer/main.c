/* SPDX-License-Identifier: Apache-2.0 */
/* Uses the installed library: status 0 when it answers as its header says. */
#include <stdio.h>
#include <string.h>
#include <weft/alloc.h>
#include <weft/err.h>

int main(void)
{
    const struct weft_alloc *alloc = weft_alloc_default();
    char *text = alloc->alloc(alloc->ctx, 16);
    if (!text)
        return 1;
    strcpy(text, weft_err_name(WEFT_ERR_TOO_BIG));
    printf("%s\n", text);
    int same = strcmp(text, "TOO_BIG") == 0;
    alloc->free(alloc->ctx, text, 16);
    return same ? 0 : 1;
}
