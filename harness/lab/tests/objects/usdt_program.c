// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program with a statically defined tracepoint, as <sys/sdt.h> would write it.
 */
int main(void)
{
	asm volatile("990: nop\n"
		     ".pushsection .note.stapsdt, \"\", \"note\"\n"
		     ".balign 4\n"
		     ".4byte 992f - 991f, 994f - 993f, 3\n"
		     "991: .asciz \"stapsdt\"\n"
		     "992: .balign 4\n"
		     "993: .8byte 990b, 0, 0\n"
		     ".asciz \"app\"\n.asciz \"started\"\n.asciz \"-4@$42\"\n"
		     "994: .balign 4\n"
		     ".popsection\n");
	return 0;
}
