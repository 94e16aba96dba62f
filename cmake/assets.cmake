# SPDX-License-Identifier: Apache-2.0
# The page: the files of web/dist (made by `npm run build` in clients/ts, which ./dev does) become
# the table of src/server/assets.h. Without them the table is empty and everything else still works.

set(weft_assets_c "${PROJECT_BINARY_DIR}/generated/web_assets.c")
set(weft_assets_tool "${PROJECT_SOURCE_DIR}/tools/embed-assets.mjs")
set(weft_assets_dir "${PROJECT_SOURCE_DIR}/web/dist")

file(GLOB_RECURSE weft_asset_files CONFIGURE_DEPENDS "${weft_assets_dir}/*")
find_program(WEFT_NODE NAMES node nodejs)

if(weft_asset_files AND WEFT_NODE)
    add_custom_command(OUTPUT "${weft_assets_c}"
        COMMAND "${WEFT_NODE}" "${weft_assets_tool}" "${weft_assets_dir}" "${weft_assets_c}"
        DEPENDS "${weft_assets_tool}" ${weft_asset_files}
        COMMENT "Embedding web/dist"
        VERBATIM)
else()
    message(STATUS "No page in this build: web/dist or node is missing (./dev build makes it)")
    configure_file(cmake/web_assets_empty.c.in "${weft_assets_c}" COPYONLY)
endif()
target_sources(weft_objects PRIVATE "${weft_assets_c}")
