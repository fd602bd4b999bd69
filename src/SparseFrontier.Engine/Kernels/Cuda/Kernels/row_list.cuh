// The device form of a prefill selection: one RowList for each row block of each query head, and the arrays that it points into.
#pragma once

/// What one row block of one query head attends to. Blocks that need a mask first, then those whose every key all rows may see.
struct RowList
{
    int blockBegin;     // in blockStarts
    int maskedBlocks;
    int fullBlocks;     // follow the masked ones
    int columnBegin;    // in columns
    int columnCount;    // single keys, each seen by every row of the row block
    int unused[3];
};
