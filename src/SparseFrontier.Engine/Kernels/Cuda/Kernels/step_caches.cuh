// What the kernels of a step know of the sequences that it continues.
#pragma once

// One KV head of one layer of a sequence, as long as the sequence keeps its memory.
struct CacheHead
{
    const Element* keys;        // what the prompt keeps
    const Element* values;
    Element* tailKeys;          // of the tokens appended since
    Element* tailValues;
    const Element* bounds;      // Quest's, of the prompt's whole pages [pages][2][dimension]
    Element* tailBounds;        // of the pages after them, moved back so that page p is entry p
    int split;                  // tokens that the prompt keeps
    int budget;                 // Quest's: pages that a list keeps beside the current one
};

// One row of a step.
struct StepRow
{
    const CacheHead* heads;     // [layers][KV heads]
    const float* angles;        // [tokens appended][2][dimension / 2]: cosines and sines of global layers
    const float* slidingAngles; // of sliding layers
    int token;
    int appended;               // tokens of the tail, the row's own included
    int promptPages;            // Quest's: whole pages of the prompt
    int unused;
};

// Keys of one KV head of one sequence at one step, and its page bounds [pages][2][dimension]: those of the prompt's whole pages, shared, and its own after them.
struct PagedHead
{
    const Element* keys;        // prompt
    const Element* tailKeys;    // moved back so that token t is row t
    const Element* bounds;      // prompt
    Element* tailBounds;        // moved back so that page p is entry p
    int split;                  // tokens of the prompt
    int promptPages;            // whole pages of the prompt
    int length;                 // tokens of the cache, the step's own included
    int budget;                 // pages that a list keeps beside the current one
};
