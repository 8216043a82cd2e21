/*
 * Calls itself until the stack is used up. Each frame is larger than a small guard, and its low end is touched first:
 * C compilers do not touch the pages of a frame in order.
 */
enum { FRAME = 75 * 1024 };

/* Called through a pointer that nobody can see through, so that no compiler makes a loop of it. */
unsigned fiberhost_deep(unsigned level);
static unsigned (*volatile again)(unsigned) = fiberhost_deep;

unsigned fiberhost_deep(unsigned level)
{
    volatile unsigned char frame[FRAME];
    frame[0] = (unsigned char)level;
    unsigned below = again(level + 1);
    return below + frame[0];
}
