/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of the log, singly and composed, for somebody who was away. */
#include "hub/catch_up.h"

#include "hub/answers.h"
#include "hub/internal.h"

void weft__catch_up_begin(struct weft_catch_up *catch_up, const struct weft_document *document,
                          const struct weft_doc_request *request, struct weft_json_writer *out)
{
    struct weft_slice own = weft__doc_request_client(request);
    const struct weft_client_entry *entry = weft__client_table_get(&document->clients, own);
    *catch_up = (struct weft_catch_up){
        .out = out,
        .type = document->type,
        .own = own,
        .singly = entry ? entry->version : 0,
    };
    catch_up->from = WEFT_MAX(request->version, catch_up->singly);
    /* A single one keeps its author's name. */
    if (!document->type->op_compose || document->committed_version - catch_up->from <= 1)
        catch_up->singly = UINT64_MAX;
    catch_up->to = catch_up->from;
    weft__ot_fold_init(&catch_up->fold, document->hub->options.alloc, document->type);
    weft__json_key(out, "ops");
    weft__json_begin_array(out);
}

/* What cannot be composed, because of a limit of the type, cannot be told in operations. */
static int composed(struct weft_catch_up *catch_up, int err)
{
    if (err && err != WEFT_ERR_NOMEM) {
        catch_up->full = true;
        err = 0;
    }
    return err;
}

static int compose(struct weft_catch_up *catch_up, const struct weft_document *document,
                   const struct weft_record_op *record, const void *op, uint64_t version)
{
    void *parsed = NULL;
    int err = op ? 0 : weft__hub_parse_op(document->hub, catch_up->type, record->op, &parsed);
    if (err)
        return err;
    catch_up->to = version;
    return composed(catch_up, weft__ot_fold_push(&catch_up->fold, op ? op : parsed, !op, NULL));
}

int weft__catch_up_add(struct weft_catch_up *catch_up, const struct weft_document *document,
                       const struct weft_record_op *record, const void *op, uint64_t version,
                       uint64_t time_ms)
{
    bool singly = version <= catch_up->singly;
    catch_up->bytes += record->op.len;
    if (catch_up->bytes > (singly ? WEFT_DOC_BEHIND_BYTES : WEFT_DOC_COMPOSE_BYTES))
        catch_up->full = true;
    /* Its own operation, told as somebody else's, would be done twice. */
    if (!singly && catch_up->own.len && weft__slice_eq(catch_up->own, record->client))
        catch_up->full = true;
    if (catch_up->full)
        return 0;
    if (!singly)
        return compose(catch_up, document, record, op, version);
    weft__answer_op(catch_up->out, record, version, time_ms, catch_up->own);
    return 0;
}

/* {from, version, op} of what was composed. */
static int write_composed(struct weft_catch_up *catch_up)
{
    struct weft_json_writer *w = catch_up->out;
    const void *op;
    bool owned;
    int err = weft__ot_fold_finish(&catch_up->fold, &op, &owned, NULL);
    if (err)
        return composed(catch_up, err);
    weft__json_begin_object(w);
    weft__json_key(w, "from");
    weft__json_put_u64(w, catch_up->from);
    weft__json_key(w, "version");
    weft__json_put_u64(w, catch_up->to);
    weft__json_key(w, "op");
    catch_up->type->op_write(op, w);
    weft__json_end_object(w);
    if (owned)
        catch_up->type->op_free((void *)(uintptr_t)op);
    return 0;
}

int weft__catch_up_end(struct weft_catch_up *catch_up)
{
    size_t before = catch_up->out->out->len;
    int err = 0;
    if (!catch_up->full && catch_up->to > catch_up->from)
        err = write_composed(catch_up);
    catch_up->full = catch_up->full || catch_up->out->out->len - before > WEFT_DOC_BEHIND_BYTES;
    weft__json_end_array(catch_up->out);
    return err;
}

void weft__catch_up_done(struct weft_catch_up *catch_up)
{
    if (catch_up->type)
        weft__ot_fold_done(&catch_up->fold);
}
