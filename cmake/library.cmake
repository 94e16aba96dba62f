# SPDX-License-Identifier: Apache-2.0
# libweft: every src/<module>/*.c is compiled once into `weft_objects`, from which the static and
# the shared library are made. A new file or module needs no entry here.

file(GLOB_RECURSE weft_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/*.c")
if(NOT WEFT_SQLITE)
    list(FILTER weft_sources EXCLUDE REGEX "/src/store/sqlite/")
endif()

add_library(weft_objects OBJECT ${weft_sources})
target_include_directories(weft_objects PRIVATE
    "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src")
target_link_libraries(weft_objects PRIVATE weft_flags ${WEFT_LIBRARIES})
if(WEFT_SQLITE)
    target_compile_definitions(weft_objects PRIVATE WEFT_HAVE_SQLITE=1)
endif()

add_library(weft_static STATIC $<TARGET_OBJECTS:weft_objects>)
add_library(weft_shared SHARED $<TARGET_OBJECTS:weft_objects>)
add_library(weft::weft_static ALIAS weft_static)
add_library(weft::weft ALIAS weft_shared)
set_target_properties(weft_static weft_shared PROPERTIES OUTPUT_NAME weft LINKER_LANGUAGE C)
set_target_properties(weft_static PROPERTIES EXPORT_NAME weft_static)
set_target_properties(weft_shared PROPERTIES EXPORT_NAME weft
    VERSION ${PROJECT_VERSION} SOVERSION 0)
foreach(library weft_static weft_shared)
    target_include_directories(${library} PUBLIC
        "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
        "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
    target_link_libraries(${library} PRIVATE ${WEFT_LIBRARIES} $<BUILD_INTERFACE:weft_flags>)
endforeach()
if(NOT WEFT_SANITIZE)
    target_link_options(weft_shared PRIVATE -Wl,--no-undefined)
endif()
